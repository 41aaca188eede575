"""What is bounded stays in its bounds: caches, slots, the queue's windows."""

from __future__ import annotations

from tests.sim.checkers.base import Checker

# Evicting goes on in steps of so many runs.
_STEP = 64


class Bounded(Checker):
    def looked(self) -> None:
        plan = self.world.plan
        for node in self.world.engines:
            engine = node.engine
            if engine is None:
                continue
            cache = engine.group.cache
            pinned = sum(execution.pinned for execution in cache._by_key.values())
            if len(cache) > max(plan.cached_executions, pinned) + _STEP:
                self.wrong(f"{node.name}: {len(cache)} runs in its cache, {pinned} pinned")
            for session in engine.workers.sessions.values():
                if len(session.activities) > plan.slots + plan.slots:
                    self.wrong(f"{node.name}: {session.identity} has {len(session.activities)}")
        for key, waiting in self.world.queue.waiting.items():
            if len(waiting) > plan.queue_window + 1_000:
                self.wrong(f"{len(waiting)} tasks of {key} are in the queue")

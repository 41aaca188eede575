"""What is bounded stays in its bounds: caches, slots, windows, outboxes and tables of
whoever waits; and nothing is left in them when everything has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_server.engine import Engine
    from tests.sim.world import World

# Evicting goes on in steps of so many runs.
_STEP = 64
# What a client asks at once for one workflow, with all that it sends twice.
_CALLS_PER_JOB = 32
_TIMERS_PER_JOB = 500
# Of one activity or run: what is said again, renewed, evicted, answered.
_SAYINGS = 8


class Bounded(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        plan = world.plan
        self._calls = _CALLS_PER_JOB * len(plan.jobs)
        # An engine that takes over learns only bit by bit what its workers have.
        self._taken = 2 * plan.slots
        self._sayings = _SAYINGS * (2 * plan.slots + plan.cached_workflows + len(plan.jobs))

    def looked(self) -> None:
        for node in self.world.engines:
            if node.engine is not None:
                self._check_engine(node.name, node.engine)
        for worker_node in self.world.workers:
            if worker_node.process.alive and worker_node.worker is not None:
                self._check_worker(worker_node.name, worker_node.worker)
        for client in self.world.clients:
            if client.process.alive and client.connection is not None:
                self._at_most(client.name, "calls", _waiting(client.connection), self._calls)
        for key, waiting in self.world.queue.waiting.items():
            self._at_most(
                f"the queue of {key}", "tasks", len(waiting), self.world.plan.queue_window + 1_000
            )

    def _check_engine(self, name: str, engine: Engine) -> None:
        plan, group = self.world.plan, engine.group
        cache = group.cache
        pinned = sum(execution.pinned for execution in cache._by_key.values())
        self._at_most(name, "runs", len(cache), max(plan.cached_executions, pinned) + _STEP)
        for session in engine.workers.sessions.values():
            activities, held = len(session.activities), len(session.held)
            self._at_most(name, f"activities of {session.identity}", activities, self._taken)
            self._at_most(name, f"tasks of {session.identity}", held, self._taken)
            frame = session.outbox._frame
            if frame is not None:
                count = sum(len(value) for _, value in frame.ListFields() if hasattr(value, "add"))
                self._at_most(name, f"messages for {session.identity}", count, self._sayings)
        self._at_most(name, "questions", engine.queries.open, self._calls)
        self._at_most(name, "turns", len(engine.turns), len(plan.jobs) + self._calls)
        self._at_most(name, "waiters", _waiters(engine), self._calls + engine.queries.open)
        # Entries that were replaced stay until there are too many of them.
        timers = len(group.timers._heap)
        self._at_most(name, "timers", timers, 1_000 + _TIMERS_PER_JOB * len(plan.jobs))

    def _check_worker(self, name: str, worker: Any) -> None:
        session = worker._session
        if session is None:
            return
        plan = self.world.plan
        self._at_most(name, "entries", len(session._outbox._entries), self._sayings)
        numbers = session._outbox._numbers
        said = len(numbers.renewals) + len(numbers.returned) + len(numbers.evicted_run_ids)
        self._at_most(name, "numbers", said, self._sayings)
        cached = len(session._workflows._cache)
        busy = session._workflows._cache.busy_count
        self._at_most(name, "idle runs", cached - busy, plan.cached_workflows)
        self._at_most(
            name, "unacknowledged reports", len(session._activities._unacknowledged), self._sayings
        )

    def _at_most(self, where: str, what: str, count: int, most: int) -> None:
        if count > most:
            self.wrong(f"{where}: {count} {what}, at most {most} are right")

    @property
    def settled(self) -> bool:
        return not any(self._leftovers())

    def ended(self) -> None:
        """Everybody has what they waited for, so nobody waits any more."""
        for leftover in self._leftovers():
            self.wrong(leftover)

    def _leftovers(self) -> Iterator[str]:
        for node in self.world.engines:
            engine = node.engine
            if engine is None:
                continue
            left = {
                "questions": engine.queries.open,
                "turns": len(engine.turns),
                "waiters": _waiters(engine),
                "changes": sum(
                    not execution.settled for execution in engine.group.cache.unsettled()
                ),
                "activities": sum(len(s.activities) for s in engine.workers.sessions.values()),
            }
            if any(left.values()):
                yield f"{node.name}: everything has ended, and there are still {left}"


def _waiting(connection: Any) -> int:
    return (
        len(connection._pending)
        + len(connection._outbox)
        + len(connection._abandoned)
        + len(connection._refused)
    )


def _waiters(engine: Engine) -> int:
    watchers = engine.group.watchers
    return sum(map(len, watchers._results.values())) + sum(map(len, watchers._followers.values()))

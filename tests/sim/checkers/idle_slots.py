"""No task waits for long while a worker has a free slot for it: whoever frees a slot
says so to those that wait.

Where rows or the queue cannot be read at once, or only slowly, tasks wait for that, and
so does a worker that is just joining; so it is looked at only behind such times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.checkers.base import Checker
from tests.sim.loop import State

if TYPE_CHECKING:
    from tests.sim.nodes import EngineNode
    from tests.sim.world import World

# Longer than what waits for the last failure, or the last slow answer.
_WITHIN_S = 5.0


class NoIdleSlots(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._since: dict[tuple[int, object], float] = {}

    def looked(self) -> None:
        now, idle = self.world.loop.time(), {}
        for node in self.world.engines:
            for backlog, what in self._idle(node):
                idle[backlog] = since = self._since.get(backlog, now)
                if now - since > _WITHIN_S:
                    self.wrong(f"{node.name}: {what} wait, and a worker has a free slot")
        self._since = idle

    def _reads_well(self, node: EngineNode) -> bool:
        database, queue, network = self.world.database, self.world.queue, self.world.network
        unwell = database.away or database.full or database.failing_reads or queue.away
        return (
            not unwell
            and database.slow == 1.0
            and network.connected(node.name, "database")
            and network.connected(node.name, "queue")
        )

    def _idle(self, node: EngineNode) -> list[tuple[tuple[int, object], str]]:
        engine = node.engine
        if engine is None or node.process.state is not State.RUNNING or not self._reads_well(node):
            return []
        dispatcher = engine.group.dispatcher
        return [
            ((id(backlog), key), f"tasks {key.name}")
            for key, backlog in dispatcher._backlogs.items()
            if not backlog.pumping and engine.workers.pick(key, None) is not None
        ]

"""No workflow task fails: workers say nothing that an engine may refuse, and code
parts from its history only where workers differ in its version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from sched_server.core.values import TaskFailureCause
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run
    from tests.sim.world import World


class TaskFailures(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        # A worker that dies with a task in hand is a fault of ours.
        self._expected = {TaskFailureCause.WORKER_LOST}
        if world.plan.versions:
            self._expected.add(TaskFailureCause.NON_DETERMINISM)

    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for event in events:
            attributes = event.attributes
            if not isinstance(attributes, e.WorkflowTaskFailed) or event.event_id <= run.copied:
                continue
            if attributes.cause not in self._expected:
                cause = TaskFailureCause(attributes.cause).name
                self.wrong(f"{run}: a task failed, {cause}: {attributes.failure.message}")

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


class TaskFailures(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for event in events:
            attributes = event.attributes
            if not isinstance(attributes, e.WorkflowTaskFailed) or event.event_id <= run.copied:
                continue
            if not self._expected(attributes):
                cause = TaskFailureCause(attributes.cause).name
                self.wrong(f"{run}: a task failed, {cause}: {attributes.failure.message}")

    def _expected(self, failed: e.WorkflowTaskFailed) -> bool:
        if failed.cause == TaskFailureCause.NON_DETERMINISM:
            # Code that does not know a patch yet cannot follow those that do.
            return self.world.plan.versions == "patch" and failed.build_id == "before"
        # A worker that dies with a task in hand is a fault of ours.
        return failed.cause == TaskFailureCause.WORKER_LOST

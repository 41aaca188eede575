"""A run has exactly one terminal event, and it is the last; of one workflow id
at most one run is open; and no code closes a run over a signal that it did not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from sched_server.core.events import TERMINAL
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run


_BY_CODE = (e.WorkflowCompleted, e.WorkflowFailed, e.WorkflowCanceled)


class OneEnd(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        ends = [event.event_id for event in run.events if type(event.attributes) in TERMINAL]
        if len(ends) > 1 or (ends and ends[0] != len(run.events)):
            self.wrong(f"{run}: terminal events {ends} of {len(run.events)}")
        if bool(ends) != run.closed:
            self.wrong(f"{run}: its row and its events differ about its end")
        if ends and type(run.events[-1].attributes) in _BY_CODE:
            self._check_signals(run)

    def _check_signals(self, run: Run) -> None:
        seen = max(
            event.attributes.seen
            for event in run.events
            if isinstance(event.attributes, e.WorkflowTaskCompleted)
        )
        unseen = [
            event.event_id
            for event in run.events[seen:]
            if isinstance(event.attributes, e.SignalReceived)
        ]
        if unseen:
            self.wrong(f"{run}: closed over signals {unseen}, the code had seen {seen} events")

    def ended(self) -> None:
        for workflow_id, runs in self.world.checkers.truth.by_workflow.items():
            still = [run for run in runs if not run.closed]
            if still:
                self.wrong(f"{workflow_id}: {still} never ended")

    def looked(self) -> None:
        for workflow_id, runs in self.world.checkers.truth.by_workflow.items():
            if sum(not run.closed for run in runs) > 1:
                self.wrong(f"{workflow_id}: more than one open run")

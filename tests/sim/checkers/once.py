"""Each start, signal, segment and step outcome is recorded once, whoever sent it
how often; and at the end each step ran at least once for its record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run
    from tests.sim.world import World


class RecordedOnce(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._seen: set[tuple[object, ...]] = set()

    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for event in events:
            attributes = event.attributes
            match attributes:
                case e.WorkflowStarted():
                    self._once(run, "start", attributes.workflow_id, attributes.request_id)
                case e.SignalReceived():
                    self._once(run, "signal", run.run_id, attributes.request_id)
                case e.WorkflowTaskCompleted() if attributes.segment_id:
                    self._once(run, "segment", run.run_id, attributes.segment_id)
                case e.StepCompleted():
                    self._once(run, "step", run.run_id, attributes.seq)
                case e.WorkflowCancelRequested():
                    self._once(run, "cancel", run.run_id, attributes.request_id)

    def _once(self, run: Run, *what: object) -> None:
        if what in self._seen:
            self.wrong(f"{run}: {what[0]} {what[-1]} is recorded twice")
        self._seen.add(what)

"""What runs say they are doing: the rows have what the events leave, and when code
has closed its run, the events have what the code said last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.run import WorkflowRun
from sched_sdk.api.v1 import history_pb2
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run

_SAYING = "tells"


class Details(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        if run.details != run.said:
            self.wrong(f"{run}: its row says {run.details!r}, its events {run.said!r}")

    def ended(self) -> None:
        for run in self.world.checkers.truth.by_key.values():
            stored = self.world.database.read_details(run.key)
            if stored != run.said:
                self.wrong(f"{run}: {stored!r} is stored, its events say {run.said!r}")
            if run.workflow == _SAYING and run.closed_by_code:
                self._check_code(run)

    def _check_code(self, run: Run) -> None:
        rows = self.world.database.read_history(run.key)
        replayed = WorkflowRun(workflow_definition_of(self.world.code[run.workflow]))
        try:
            replayed.replay([history_pb2.HistoryEvent.FromString(row.data) for row in rows])
            replayed.end_replay()
            says = json.loads(replayed.query("__details", ()).data)
            if says != run.said:
                self.wrong(f"{run}: its code says {says!r}, its events {run.said!r}")
        finally:
            replayed.evict()

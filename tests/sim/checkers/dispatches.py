"""A report counts only while no newer dispatch of its activity was issued."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.loop import Process
    from tests.sim.truth import Run
    from tests.sim.world import World


# Whose token is used by somebody else than its worker.
_ELSEWHERE = "completed_elsewhere"


class Dispatches(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._reported: defaultdict[tuple[str, int], set[int]] = defaultdict(set)

    def heard(self, client: Process, path: str, message: Any) -> None:
        for report in getattr(message, "activity_reports", ()):
            self._reported[report.run_id, report.seq].add(report.dispatch)

    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for event in events:
            attributes = event.attributes
            if not isinstance(attributes, e.ActivityCompleted) or event.event_id <= run.copied:
                continue
            if not self.world.ledger.attempts.get((run.run_id, attributes.seq)):
                self.wrong(f"{run}: activity {attributes.seq} is completed and never ran")
            newest = run.dispatches.get(attributes.seq, 0)
            reported = self._reported[run.run_id, attributes.seq]
            if run.workflow != _ELSEWHERE and newest not in reported:
                self.wrong(
                    f"{run}: activity {attributes.seq} is completed, and of its dispatch {newest} "
                    f"there was no report, but of {reported}"
                )
            said = self.world.ledger.results.get((run.run_id, attributes.seq))
            if said is None:
                continue
            dispatch = said[json.loads(attributes.result.data)]
            if dispatch != newest:
                self.wrong(
                    f"{run}: the result of dispatch {dispatch} of {attributes.seq} counted, "
                    f"{newest} was issued"
                )

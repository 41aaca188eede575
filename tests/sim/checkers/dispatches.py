"""A report counts only while no newer dispatch of its activity was issued."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run


class Dispatches(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for event in events:
            attributes = event.attributes
            if not isinstance(attributes, e.ActivityCompleted) or event.event_id <= run.copied:
                continue
            if not self.world.ledger.attempts.get((run.run_id, attributes.seq)):
                self.wrong(f"{run}: activity {attributes.seq} is completed and never ran")
            said = self.world.ledger.results.get((run.run_id, attributes.seq))
            if said is None:
                continue
            dispatch = said[json.loads(attributes.result.data)]
            newest = run.dispatches.get(attributes.seq, 0)
            if dispatch != newest:
                self.wrong(
                    f"{run}: the result of dispatch {dispatch} of {attributes.seq} counted, "
                    f"{newest} was issued"
                )

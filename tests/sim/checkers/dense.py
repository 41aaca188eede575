"""Event ids are 1, 2, 3 … without gaps, and time does not go back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run


class DenseIds(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        first = len(run.events) - len(events)
        ids = [event.event_id for event in events]
        if ids != list(range(first + 1, len(run.events) + 1)):
            self.wrong(f"{run}: events {ids} behind event {first}")
        if change.last_event_id != len(run.events):
            self.wrong(f"{run}: {len(run.events)} events, the row says {change.last_event_id}")
        last = run.events[first - 1].time_us if first else 0
        for event in events:
            if event.time_us < last:
                self.wrong(f"{run}: the time of event {event.event_id} goes back")
            last = event.time_us

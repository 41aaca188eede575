"""What was scheduled once is resolved at most once, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run

_ACTIVITY_ENDS = (e.ActivityCompleted, e.ActivityFailed, e.ActivityTimedOut, e.ActivityCanceled)


class Resolutions(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for event in events:
            attributes = event.attributes
            kind = type(attributes)
            seq = getattr(attributes, "seq", 0)
            if kind in (e.ActivityScheduled, e.TimerScheduled):
                if seq in run.scheduled:
                    self.wrong(f"{run}: {seq} is scheduled twice")
                run.scheduled[seq] = kind
                run.pending[seq] = attributes
            elif kind in _ACTIVITY_ENDS:
                self._resolve(run, seq, e.ActivityScheduled, event)
            elif kind is e.TimerFired or (kind is e.TimerCanceled and not attributes.moot):
                self._resolve(run, seq, e.TimerScheduled, event)

    def _resolve(self, run: Run, seq: int, kind: type, event: Event) -> None:
        if run.scheduled.get(seq) is not kind:
            self.wrong(f"{run}: event {event.event_id} resolves {seq}, which was not scheduled")
        elif run.pending.pop(seq, None) is None:
            self.wrong(f"{run}: event {event.event_id} resolves {seq} a second time")

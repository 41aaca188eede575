"""No timer fires early, and no time limit ends anything before it has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run


def began_us(run: Run) -> int:
    """From when its time limits count."""
    return run.events[0].time_us if run.origin is None else run.origin.time_us


class NoTimerEarly(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for event in events:
            attributes = event.attributes
            if isinstance(attributes, e.TimerFired):
                due = run.due.get(attributes.seq, 0)
                if event.time_us < due:
                    self.wrong(f"{run}: timer {attributes.seq} is {due - event.time_us} µs early")
            elif isinstance(attributes, e.TimerScheduled):
                run.due[attributes.seq] = attributes.due_time_us
            elif isinstance(attributes, e.WorkflowTimedOut):
                started = run.events[0]
                assert isinstance(started.attributes, e.WorkflowStarted)
                limit = started.attributes.execution_timeout_us
                if not limit or event.time_us < began_us(run) + limit:
                    self.wrong(f"{run}: its execution timeout came early")

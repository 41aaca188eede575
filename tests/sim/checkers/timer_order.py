"""Timers of a run fire in the order in which they are due, whatever fails."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sched_server.core import events as e
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run
    from tests.sim.world import World


class TimersInOrder(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._due: defaultdict[str, dict[int, int]] = defaultdict(dict)

    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        due = self._due[run.run_id]
        for event in events:
            attributes = event.attributes
            if isinstance(attributes, e.TimerScheduled):
                due[attributes.seq] = attributes.due_time_us
            elif isinstance(attributes, e.TimerCanceled):
                due.pop(attributes.seq, None)
            elif isinstance(attributes, e.TimerFired) and attributes.seq in due:
                fired = due.pop(attributes.seq), attributes.seq
                if earlier := [seq for seq in due if (due[seq], seq) < fired]:
                    self.wrong(f"{run}: timer {attributes.seq} fired before {earlier}")

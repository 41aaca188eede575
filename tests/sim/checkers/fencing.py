"""Only the newest epoch writes, and dispatch numbers are never used twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.codec import decode_record
from sched_server.core.state import ActivityPhase, ActivityRecord
from sched_server.store.port import ACTIVITY_TASK
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import CommitBatch, RunChange
    from tests.sim.truth import Run
    from tests.sim.world import World


class Fencing(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._dispatches: dict[int, tuple[int, int]] = {}

    def committing(self, batch: CommitBatch) -> None:
        newest = self.world.database.epoch
        if batch.epoch != newest:
            self.wrong(f"epoch {batch.epoch} has written, {newest} leads")

    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        for (kind, seq), row in change.tasks_put.items():
            if kind != ACTIVITY_TASK:
                continue
            record = decode_record(row.record, ActivityRecord)
            if record.phase is not ActivityPhase.STARTED:
                continue
            user = self._dispatches.setdefault(record.dispatch, (run.key, seq))
            if user != (run.key, seq):
                self.wrong(f"{run}: dispatch {record.dispatch} was given to {user} before")
            before = run.dispatches.get(seq, 0)
            if record.dispatch < before:
                self.wrong(f"{run}: dispatch {record.dispatch} of {seq} comes behind {before}")
            run.dispatches[seq] = record.dispatch

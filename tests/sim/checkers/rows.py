"""Stored rows equal the fold of the events: what the events leave pending has its
task and timer rows, with the right due times, and nothing else has any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.codec import decode_record
from sched_server.core import events as e
from sched_server.core.state import ActivityPhase, ActivityRecord, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import TimerKind
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, TaskRow
from tests.sim.checkers.base import Checker
from tests.sim.checkers.timers import began_us

if TYPE_CHECKING:
    from sched_server.core.events import Event
    from sched_server.store.port import RunChange
    from tests.sim.truth import Run

_ANY = -1
_FOR_CODE = (
    e.WorkflowStarted,
    e.ActivityCompleted,
    e.ActivityFailed,
    e.ActivityTimedOut,
    e.ActivityCanceled,
    e.TimerFired,
    e.SignalReceived,
    e.WorkflowCancelRequested,
)


class RowsEqualFold(Checker):
    def committed(self, run: Run, change: RunChange, events: list[Event]) -> None:
        if run.closed:
            if run.tasks or run.timers:
                self.wrong(f"{run}: closed, with rows {[*run.tasks, *run.timers]}")
            return
        self._check_tasks(run)
        required = self._required_timers(run)
        for key, due in required.items():
            stored = run.timers.get(key)
            if stored is None or due not in (_ANY, stored):
                self.wrong(f"{run}: timer {key} is due {due}, stored is {stored}")
        for key in run.timers.keys() - required.keys():
            kind, seq = key
            if kind == TimerKind.USER or (seq and seq not in run.pending):
                self.wrong(f"{run}: a timer row {key} for what is not pending")

    def _check_tasks(self, run: Run) -> None:
        activities = {
            seq for seq, what in run.pending.items() if isinstance(what, e.ActivityScheduled)
        }
        rows = {seq for kind, seq in run.tasks if kind == ACTIVITY_TASK}
        if rows != activities:
            self.wrong(f"{run}: activities {activities} are pending, rows are of {rows}")
        seen, has_run = 0, False
        for event in run.events:
            if isinstance(event.attributes, e.WorkflowTaskCompleted):
                seen, has_run = event.attributes.seen, True
        unseen = [
            event.event_id
            for event in run.events[seen:]
            if isinstance(event.attributes, _FOR_CODE)
            or getattr(event.attributes, "deferred", False)
        ]
        if (unseen or not has_run) and (WORKFLOW_TASK, 0) not in run.tasks:
            self.wrong(f"{run}: the code has not seen {unseen}, and there is no task for it")

    def _required_timers(self, run: Run) -> dict[tuple[int, int], int]:
        due: dict[tuple[int, int], int] = {}
        started = run.events[0]
        assert isinstance(started.attributes, e.WorkflowStarted)
        if started.attributes.execution_timeout_us:
            limit = started.attributes.execution_timeout_us
            due[TimerKind.EXECUTION_TIMEOUT, 0] = began_us(run) + limit
        task = run.tasks.get((WORKFLOW_TASK, 0))
        if task is not None:
            record = decode_record(task.record, WorkflowTaskRecord)
            if record.phase is TaskPhase.BACKOFF:
                due[TimerKind.WORKFLOW_TASK_BACKOFF, 0] = record.due_us
        for seq, what in run.pending.items():
            if isinstance(what, e.TimerScheduled):
                due[TimerKind.USER, seq] = what.due_time_us
            elif isinstance(what, e.ActivityScheduled) and (ACTIVITY_TASK, seq) in run.tasks:
                _activity_timers(due, seq, what, run.tasks[ACTIVITY_TASK, seq])
        return due

    def ended(self) -> None:
        """What is read from the database is what was written to it."""
        database = self.world.database
        for run in self.world.checkers.truth.by_key.values():
            row = database.read_run(run.key)
            assert row is not None
            if (row.status, row.last_event_id) != (run.status, len(run.events)):
                self.wrong(f"{run}: its row is {row}")
            stored = database.read_history(run.key)
            if len(stored) != len(run.events):
                self.wrong(f"{run}: {len(stored)} events are stored of {len(run.events)}")
            if row.history_bytes != sum(len(event.data) for event in stored):
                self.wrong(f"{run}: history_bytes is {row.history_bytes}")
            if database.read_tasks(run.key) or database.read_timers(run.key):
                self.wrong(f"{run}: rows are left behind its end")


def _activity_timers(
    due: dict[tuple[int, int], int], seq: int, what: e.ActivityScheduled, row: TaskRow
) -> None:
    record = decode_record(row.record, ActivityRecord)
    if what.schedule_to_close_us:
        due[TimerKind.SCHEDULE_TO_CLOSE, seq] = _ANY
    if record.phase is ActivityPhase.BACKOFF:
        due[TimerKind.ACTIVITY_BACKOFF, seq] = record.due_us
    elif record.phase is ActivityPhase.SCHEDULED:
        if what.schedule_to_start_us:
            due[TimerKind.SCHEDULE_TO_START, seq] = _ANY
    else:
        if what.start_to_close_us:
            due[TimerKind.START_TO_CLOSE, seq] = record.started_us + what.start_to_close_us
        if what.heartbeat_timeout_us:
            due[TimerKind.HEARTBEAT, seq] = _ANY

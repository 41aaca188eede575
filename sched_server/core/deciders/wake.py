"""Giving the code something to do, and what a close takes along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core.decision import (
    ClearTimer,
    Decision,
    DispatchWorkflowTask,
    PutTaskRecord,
    StopAttempt,
)
from sched_server.core.state import ActivityPhase, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import TimerKind

if TYPE_CHECKING:
    from sched_server.core.events import TerminalAttributes
    from sched_server.core.state import Activity, ExecutionState


def wake(state: ExecutionState, decision: Decision, now: int) -> None:
    """Something for the code has happened: open a workflow task unless there
    is one, or one waits in backoff (it will see this, too)."""
    if state.task.phase is TaskPhase.IDLE:
        open_task(decision, now)


def open_task(decision: Decision, now: int) -> None:
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=now)
    decision.records.append(PutTaskRecord(record))
    decision.effects.append(DispatchWorkflowTask())


def close(state: ExecutionState, decision: Decision, terminal: TerminalAttributes) -> None:
    """End the run: no timer stays, and workers learn that nobody waits for
    their attempts."""
    decision.events.append(terminal)
    for seq in state.timers:
        decision.effects.append(ClearTimer(TimerKind.USER, seq))
    for seq, activity in state.activities.items():
        drop_activity_timers(decision, seq, activity)
        stop_attempt(decision, seq, activity, canceled=False)
    if state.execution_timeout_us:
        decision.effects.append(ClearTimer(TimerKind.EXECUTION_TIMEOUT, 0))
    if state.task.phase is TaskPhase.BACKOFF:
        decision.effects.append(ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0))


def stop_attempt(decision: Decision, seq: int, activity: Activity, *, canceled: bool) -> None:
    record = activity.record
    if record.phase is ActivityPhase.STARTED and record.assignee:
        decision.effects.append(
            StopAttempt(seq, record.dispatch, record.assignee, canceled=canceled)
        )


def drop_activity_timers(decision: Decision, seq: int, activity: Activity) -> None:
    """An activity is resolved: none of its time limits matters any more."""
    scheduled = activity.scheduled
    drop_attempt_timers(decision, seq, activity)
    if scheduled.schedule_to_close_us:
        decision.effects.append(ClearTimer(TimerKind.SCHEDULE_TO_CLOSE, seq))
    if scheduled.schedule_to_start_us:
        decision.effects.append(ClearTimer(TimerKind.SCHEDULE_TO_START, seq))
    if activity.record.phase is ActivityPhase.BACKOFF:
        decision.effects.append(ClearTimer(TimerKind.ACTIVITY_BACKOFF, seq))


def drop_attempt_timers(decision: Decision, seq: int, activity: Activity) -> None:
    """An attempt is over: its own time limits do not matter any more."""
    scheduled = activity.scheduled
    if activity.record.phase is ActivityPhase.STARTED:
        if scheduled.start_to_close_us:
            decision.effects.append(ClearTimer(TimerKind.START_TO_CLOSE, seq))
        if scheduled.heartbeat_timeout_us:
            decision.effects.append(ClearTimer(TimerKind.HEARTBEAT, seq))

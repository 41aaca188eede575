"""What becomes due: sleeps, backoffs and time limits.

A due time never acts early: if it moved, the timer is set again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from sched_server.core.decision import ClearTimer, Decision, SetTimer, Verdict
from sched_server.core.values import Status, TimerKind

from . import activity, run, task
from .wake import wake

if TYPE_CHECKING:
    from sched_server.core.inputs import FireTimer
    from sched_server.core.limits import Limits
    from sched_server.core.state import ExecutionState


def fire(state: ExecutionState, request: FireTimer, now: int, limits: Limits) -> Decision:
    """A timer came due. It may be late, and what it was for may be over."""
    if state.status is not Status.RUNNING:
        return Decision(verdict=Verdict.STALE)
    kind, seq = request.kind, request.seq
    if kind is TimerKind.USER:
        return _user_timer(state, seq, now)
    if kind is TimerKind.ACTIVITY_BACKOFF:
        return activity.back_off_over(state, seq, now)
    if kind in (TimerKind.START_TO_CLOSE, TimerKind.HEARTBEAT):
        return activity.attempt_timed_out(state, kind, seq, now, limits)
    if kind in (TimerKind.SCHEDULE_TO_CLOSE, TimerKind.SCHEDULE_TO_START):
        return activity.activity_timed_out(state, kind, seq, now)
    if kind is TimerKind.WORKFLOW_TASK_BACKOFF:
        return task.back_off_over(state, now)
    assert kind is TimerKind.EXECUTION_TIMEOUT
    return _execution_timeout(state, now)


def _user_timer(state: ExecutionState, seq: int, now: int) -> Decision:
    timer = state.timers.get(seq)
    if timer is None:
        return Decision(verdict=Verdict.STALE)
    if now < timer.due_us:
        return Decision(
            verdict=Verdict.STALE, effects=[SetTimer(TimerKind.USER, seq, timer.due_us)]
        )
    decision = Decision(events=[e.TimerFired(seq=seq)], effects=[ClearTimer(TimerKind.USER, seq)])
    wake(state, decision, now)
    return decision


def _execution_timeout(state: ExecutionState, now: int) -> Decision:
    deadline = state.execution_deadline_us
    if not deadline:
        return Decision(verdict=Verdict.STALE)
    if now < deadline:
        return Decision(
            verdict=Verdict.STALE,
            effects=[SetTimer(TimerKind.EXECUTION_TIMEOUT, 0, deadline)],
        )
    return run.time_out(state)

"""What may be wrong with a segment, found before anything of it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core.inputs import (
    CLOSING,
    CancelWorkflowExecution,
    CompleteWorkflow,
    FailWorkflow,
    RecordMarker,
    RecordStep,
    ScheduleActivity,
    StartTimer,
)
from sched_server.core.values import MarkerKind, TaskFailureCause

if TYPE_CHECKING:
    from sched_server.core.inputs import CompleteSegment
    from sched_server.core.limits import Limits
    from sched_server.core.state import ExecutionState

_MARKER_KINDS = frozenset(MarkerKind)


def problem_of(
    state: ExecutionState, request: CompleteSegment, limits: Limits
) -> tuple[TaskFailureCause, str] | None:
    """What is wrong with the segment as a whole, before anything is done."""
    invalid = TaskFailureCause.INVALID_COMMAND
    if not state.seen <= request.seen <= state.last_event_id:
        return invalid, (
            f"the segment says it has seen event {request.seen}, but this task stands between "
            f"events {state.seen} and {state.last_event_id}"
        )
    last = len(request.commands) - 1
    new_activities = new_timers = 0
    used: set[int] = set()
    highest = state.last_scheduled_seq
    for position, command in enumerate(request.commands):
        kind = type(command)
        if kind in CLOSING:
            if position != last:
                return invalid, f"{kind.__name__} is not the last command of its segment"
            if request.more:
                return invalid, f"{kind.__name__} in a segment that announces another"
            continue
        assert not isinstance(command, CompleteWorkflow | FailWorkflow | CancelWorkflowExecution)
        if isinstance(command, RecordMarker):
            if command.kind not in _MARKER_KINDS:
                return (
                    invalid,
                    f"RecordMarker: this engine knows no kind {command.kind}; upgrade it",
                )
            if not command.id:
                return invalid, "RecordMarker: the id is missing"
            continue
        if kind in (ScheduleActivity, StartTimer, RecordStep):
            if command.seq <= 0:
                return invalid, f"{kind.__name__}: number {command.seq}; numbers begin with 1"
            if command.seq in used:
                return invalid, f"{kind.__name__}: number {command.seq} is used twice"
            used.add(command.seq)
            if command.seq in state.activities or command.seq in state.timers:
                return invalid, f"{kind.__name__}: number {command.seq} is taken"
        if kind is ScheduleActivity or kind is StartTimer:
            if command.seq <= highest:
                return invalid, f"{kind.__name__}: number {command.seq} comes after {highest}"
            highest = command.seq
            if kind is StartTimer:
                new_timers += 1
            else:
                new_activities += 1
    return _over_limit(state, request, limits, new_activities, new_timers)


def _over_limit(
    state: ExecutionState,
    request: CompleteSegment,
    limits: Limits,
    new_activities: int,
    new_timers: int,
) -> tuple[TaskFailureCause, str] | None:
    over = TaskFailureCause.LIMIT_EXCEEDED
    pending = len(state.activities) + new_activities
    if new_activities and pending > limits.pending_activities:
        return over, (
            f"{pending:,} pending activities, the limit is {limits.pending_activities:,}; "
            "await some of them before queueing more"
        )
    timers = len(state.timers) + new_timers
    if new_timers and timers > limits.pending_timers:
        return over, (
            f"{timers:,} pending timers, the limit is {limits.pending_timers:,}; "
            "await some of them before starting more"
        )
    if request.commands and type(request.commands[-1]) in CLOSING:
        return None  # ending is always allowed
    remedy = (
        "split the work over several workflows, or raise the engine's limit; then the workflow "
        "goes on"
    )
    events = state.last_event_id + 1 + len(request.commands)
    if events > limits.history_events:
        return over, (
            f"the history would grow to {events:,} events, the limit is "
            f"{limits.history_events:,}; {remedy}"
        )
    if state.history_bytes > limits.history_bytes:
        return over, (
            f"the history has {state.history_bytes:,} bytes, the limit is "
            f"{limits.history_bytes:,}; {remedy}"
        )
    return None

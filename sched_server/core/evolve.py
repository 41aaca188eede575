"""`evolve`: how each event changes the state; `put_record`: how records do.

The state is changed in place (a failed commit drops it and folds anew, so
nobody needs the old one). The live path and the rebuild from history share
these functions; that is what makes a restart invisible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import events as e
from . import transitions
from .decision import PutActivityRecord, PutTaskRecord
from .state import (
    IDLE_TASK,
    REMEMBERED_SIGNALS,
    Activity,
    ActivityPhase,
    ActivityRecord,
    ExecutionState,
    PendingTimer,
)
from .transitions import IllegalTransition, Timer
from .values import TaskFailureCause

if TYPE_CHECKING:
    from collections.abc import Callable

    from .decision import Record
    from .events import Event


def evolve(state: ExecutionState, event: Event) -> ExecutionState:
    """Fold one event into the state. Raises IllegalTransition."""
    attributes = event.attributes
    kind = type(attributes)
    status = transitions.RUN.get((state.status, kind))
    if status is None:
        raise IllegalTransition(f"{kind.__name__} in a run that is {state.status.name}")
    if event.event_id != state.last_event_id + 1:
        raise IllegalTransition(f"event {event.event_id} follows event {state.last_event_id}")
    if event.time_us < state.last_time_us:
        raise IllegalTransition(f"event {event.event_id} is earlier than the one before it")
    state.status = status
    state.last_event_id = event.event_id
    state.last_time_us = event.time_us
    fold = _FOLDS.get(kind)
    if fold is not None:
        fold(state, event, attributes)
    if kind in e.DELIVERED:
        state.unseen.append(event.event_id)
    return state


def put_record(state: ExecutionState, record: Record) -> ExecutionState:
    """Replace a pending record. Raises IllegalTransition."""
    if type(record) is PutTaskRecord:
        step = (state.task.phase, record.record.phase)
        if step not in transitions.TASK_RECORDS:
            raise IllegalTransition(f"workflow task {step[0].name} → {step[1].name}")
        state.task = record.record
        return state
    assert type(record) is PutActivityRecord
    activity = state.activities.get(record.seq)
    if activity is None:
        raise IllegalTransition(f"record for activity {record.seq}, which is not pending")
    move = (activity.record.phase, record.record.phase)
    if move not in transitions.ACTIVITY_RECORDS:
        raise IllegalTransition(f"activity {record.seq} {move[0].name} → {move[1].name}")
    activity.record = record.record
    return state


def restore_activity(state: ExecutionState, seq: int, record: ActivityRecord) -> None:
    """Put a stored record back after the fold."""
    state.activities[seq].record = record


def _started(state: ExecutionState, event: Event, attributes: e.WorkflowStarted) -> None:
    state.workflow_id = attributes.workflow_id
    state.run_id = attributes.run_id
    state.workflow_type = attributes.workflow_type
    state.task_queue = attributes.task_queue
    state.start_request_id = attributes.request_id
    state.traceparent = attributes.traceparent
    state.tracestate = attributes.tracestate
    origin = attributes.origin
    state.started_us = event.time_us if origin is None else origin.time_us
    state.execution_timeout_us = attributes.execution_timeout_us


def _task_completed(
    state: ExecutionState, event: Event, attributes: e.WorkflowTaskCompleted
) -> None:
    state.base = event.event_id
    state.base_time_us = event.time_us
    state.seen = attributes.seen
    state.segment_id = attributes.segment_id
    state.build_id = attributes.build_id
    if attributes.details is not None:
        state.details = attributes.details
    if state.pinned_build and state.pinned_build != attributes.build_id:
        state.pinned_build = ""
    state.task = IDLE_TASK
    if state.unseen:
        state.unseen = [i for i in state.unseen if i > attributes.seen]
        state.unseen_signals = [i for i in state.unseen_signals if i > attributes.seen]


def _task_failed(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.WorkflowTaskFailed,
) -> None:
    parted = attributes.cause == TaskFailureCause.NON_DETERMINISM
    if parted and attributes.build_id and attributes.build_id != state.build_id:
        state.pinned_build = state.build_id


def _activity_phase(state: ExecutionState, seq: int) -> ActivityPhase | None:
    activity = state.activities.get(seq)
    return None if activity is None else activity.record.phase


def _activity_scheduled(
    state: ExecutionState, event: Event, attributes: e.ActivityScheduled
) -> None:
    _move_activity(state, attributes)
    # In a copied history it is scheduled anew when the copy begins.
    since = max(event.time_us, state.started_us)
    state.activities[attributes.seq] = Activity(
        scheduled=attributes, scheduled_us=since, record=ActivityRecord(ready_since_us=since)
    )
    _use_seq(state, attributes.seq)
    state.last_scheduled_seq = attributes.seq


def _activity_resolved(
    state: ExecutionState,
    event: Event,  # noqa: ARG001 - every fold takes the same arguments
    attributes: e.ActivityCompleted | e.ActivityFailed | e.ActivityTimedOut | e.ActivityCanceled,
) -> None:
    _move_activity(state, attributes)
    del state.activities[attributes.seq]


def _activity_noted(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.ActivityRetryScheduled,
) -> None:
    _move_activity(state, attributes)


def _activity_cancel_requested(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.ActivityCancelRequested,
) -> None:
    if attributes.moot:
        return
    _move_activity(state, attributes)
    state.activities[attributes.seq].cancel_requested = True


def _move_activity(state: ExecutionState, attributes: Any) -> None:
    phase = _activity_phase(state, attributes.seq)
    if (phase, type(attributes)) not in transitions.ACTIVITY_EVENTS:
        name = "not pending" if phase is None else phase.name
        raise IllegalTransition(
            f"{type(attributes).__name__} for activity {attributes.seq}, which is {name}"
        )


def _timer_scheduled(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.TimerScheduled,
) -> None:
    _move_timer(state, attributes)
    state.timers[attributes.seq] = PendingTimer(attributes.due_time_us, attributes.call_site)
    _use_seq(state, attributes.seq)
    state.last_scheduled_seq = attributes.seq


def _timer_fired(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.TimerFired,
) -> None:
    _move_timer(state, attributes)
    del state.timers[attributes.seq]


def _timer_canceled(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.TimerCanceled,
) -> None:
    if attributes.moot:
        return
    _move_timer(state, attributes)
    del state.timers[attributes.seq]


def _move_timer(state: ExecutionState, attributes: Any) -> None:
    phase = Timer.PENDING if attributes.seq in state.timers else Timer.ABSENT
    if (phase, type(attributes)) not in transitions.TIMER:
        raise IllegalTransition(
            f"{type(attributes).__name__} for timer {attributes.seq}, which is {phase.name}"
        )


def _step(state: ExecutionState, event: Event, attributes: e.StepCompleted | e.StepFailed) -> None:
    _use_seq(state, attributes.seq)
    if attributes.deferred:
        state.unseen.append(event.event_id)


def _signal(state: ExecutionState, event: Event, attributes: e.SignalReceived) -> None:
    state.unseen_signals.append(event.event_id)
    if attributes.request_id:
        remembered = state.signal_request_ids
        remembered[attributes.request_id] = None
        if len(remembered) > REMEMBERED_SIGNALS:
            del remembered[next(iter(remembered))]


def _cancel_requested(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.WorkflowCancelRequested,
) -> None:
    state.cancel_requested = True
    state.cancel_request_id = attributes.request_id


def _closed(
    state: ExecutionState,
    event: Event,  # noqa: ARG001
    attributes: e.TerminalAttributes,
) -> None:
    state.outcome = attributes
    state.task = IDLE_TASK
    state.activities.clear()
    state.timers.clear()
    state.unseen.clear()
    state.unseen_signals.clear()


def _use_seq(state: ExecutionState, seq: int) -> None:
    # Steps finish in any order, so a lower number may come after a higher one.
    state.last_seq = max(state.last_seq, seq)


_FOLDS: dict[type, Callable[[ExecutionState, Event, Any], None]] = {
    e.WorkflowStarted: _started,
    e.WorkflowTaskCompleted: _task_completed,
    e.WorkflowTaskFailed: _task_failed,
    e.ActivityScheduled: _activity_scheduled,
    e.ActivityCompleted: _activity_resolved,
    e.ActivityFailed: _activity_resolved,
    e.ActivityTimedOut: _activity_resolved,
    e.ActivityCanceled: _activity_resolved,
    e.ActivityCancelRequested: _activity_cancel_requested,
    e.ActivityRetryScheduled: _activity_noted,
    e.TimerScheduled: _timer_scheduled,
    e.TimerFired: _timer_fired,
    e.TimerCanceled: _timer_canceled,
    e.StepCompleted: _step,
    e.StepFailed: _step,
    e.SignalReceived: _signal,
    e.WorkflowCancelRequested: _cancel_requested,
    e.WorkflowCompleted: _closed,
    e.WorkflowFailed: _closed,
    e.WorkflowCanceled: _closed,
    e.WorkflowTerminated: _closed,
    e.WorkflowTimedOut: _closed,
}

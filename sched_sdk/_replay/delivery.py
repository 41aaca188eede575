"""One event from outside, handed to the code.

`DELIVERIES` names every event that reaches code. What is not in it is for
people, or is a command of the code itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_sdk._replay.call_sites import mark_bottom
from sched_sdk._replay.divergence import diverged, unknown_resolution
from sched_sdk._replay.signals import Received
from sched_sdk.api.v1 import history_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._replay.activities import ActivityHandle
    from sched_sdk._replay.instance import Instance
    from sched_sdk._replay.steps import StepRequest

__all__ = ["DELIVERIES", "deliver", "hand_recorded_step", "is_from_outside"]

Event = history_pb2.HistoryEvent

STEP_COMPLETED = history_pb2.EVENT_TYPE_STEP_COMPLETED
STEP_FAILED = history_pb2.EVENT_TYPE_STEP_FAILED


def is_from_outside(event: Event) -> bool:
    """Whether the event reaches code as the start of an activation."""
    kind = event.type
    if kind == STEP_COMPLETED:
        return event.step_completed.deferred
    if kind == STEP_FAILED:
        return event.step_failed.deferred
    return kind in DELIVERIES


def deliver(instance: Instance, event: Event) -> None:
    """One activation. After the closing command nothing reaches code."""
    if instance.lifecycle.closed:
        return
    instance.move_clock(event.time_us)
    DELIVERIES[event.type](instance, event)
    instance.activate()


def _workflow_started(instance: Instance, event: Event) -> None:
    instance.start(event)


def _activity(instance: Instance, event: Event, seq: int) -> ActivityHandle[Any]:
    handle = instance.journal.activities.pop(seq, None)
    if handle is None:
        raise unknown_resolution(event, seq)
    return handle


def _activity_completed(instance: Instance, event: Event) -> None:
    attributes = event.activity_completed
    _activity(instance, event, attributes.seq).resolve_completed(attributes.result)


def _activity_failed(instance: Instance, event: Event) -> None:
    attributes = event.activity_failed
    handle = _activity(instance, event, attributes.seq)
    handle.resolve_failed(attributes.failure, attributes.summary.attempts)


def _activity_timed_out(instance: Instance, event: Event) -> None:
    attributes = event.activity_timed_out
    handle = _activity(instance, event, attributes.seq)
    handle.resolve_failed(attributes.failure, attributes.summary.attempts)


def _activity_canceled(instance: Instance, event: Event) -> None:
    attributes = event.activity_canceled
    handle = _activity(instance, event, attributes.seq)
    handle.resolve_canceled(attributes.failure, attributes.summary.attempts)


def _timer_fired(instance: Instance, event: Event) -> None:
    seq = event.timer_fired.seq
    timer = instance.journal.timers.pop(seq, None)
    if timer is not None:
        timer.fire()
    elif seq > instance.journal.last_seq:
        raise unknown_resolution(event, seq)
    # else it was cancelled while its firing was already on the way


def _signal_received(instance: Instance, event: Event) -> None:
    attributes = event.signal_received
    instance.signals.deliver(Received(attributes.name, attributes.input))


def _cancel_requested(instance: Instance, event: Event) -> None:
    instance.lifecycle.request_cancel(event.workflow_cancel_requested.reason)


def hand_recorded_step(instance: Instance, event: Event) -> None:
    """Hand a recorded step outcome to the code; the caller activates."""
    if event.type == STEP_COMPLETED:
        completed = event.step_completed
        request = _step(instance, event, completed.seq, completed.name)
        if request is not None:
            request.resolve_completed(completed.result)
        return
    failed = event.step_failed
    request = _step(instance, event, failed.seq, failed.name)
    if request is not None:
        request.resolve_failed(failed.failure, failed.attempt, failed.retry_after_us)


def _step(instance: Instance, event: Event, seq: int, name: str) -> StepRequest | None:
    """The waiting request; None if the code no longer waits for it."""
    journal = instance.journal
    request = journal.steps.get(seq)
    if request is None:
        if seq in journal.abandoned_steps:
            return None
        raise diverged(event, None, journal)
    if request.name != name:
        raise diverged(event, request, journal)
    del journal.steps[seq]
    return request


DELIVERIES: dict[int, Callable[[Instance, Event], None]] = {
    history_pb2.EVENT_TYPE_WORKFLOW_STARTED: _workflow_started,
    history_pb2.EVENT_TYPE_ACTIVITY_COMPLETED: _activity_completed,
    history_pb2.EVENT_TYPE_ACTIVITY_FAILED: _activity_failed,
    history_pb2.EVENT_TYPE_ACTIVITY_TIMED_OUT: _activity_timed_out,
    history_pb2.EVENT_TYPE_ACTIVITY_CANCELED: _activity_canceled,
    history_pb2.EVENT_TYPE_TIMER_FIRED: _timer_fired,
    history_pb2.EVENT_TYPE_SIGNAL_RECEIVED: _signal_received,
    history_pb2.EVENT_TYPE_WORKFLOW_CANCEL_REQUESTED: _cancel_requested,
    # Deferred ones; the others are part of a segment.
    STEP_COMPLETED: hand_recorded_step,
    STEP_FAILED: hand_recorded_step,
}


# An event is no line of code: what it starts or cancels has no call site.
mark_bottom(deliver)

"""Events to and from their stored form, the serialized HistoryEvent.

One converter per type and direction; the field names of the core's structs
and of the API agree, which a test checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_sdk.api.v1 import history_pb2 as pb
from sched_server.core import events as e
from sched_server.core.values import AttemptSummary, HistoryOrigin, Payload

from .values import (
    failure_from_proto,
    failure_to_proto,
    payload_to_proto,
    payloads_from_proto,
    payloads_to_proto,
    retry_from_proto,
    retry_to_proto,
)

if TYPE_CHECKING:
    from collections.abc import Callable


class UnknownEvent(ValueError):  # noqa: N818
    """A newer engine wrote an event that may not be skipped."""


def encode_event(event: e.Event) -> bytes:
    attributes = event.attributes
    kind = type(attributes)
    name = _FIELDS[kind]
    message = pb.HistoryEvent(
        event_id=event.event_id,
        time_us=event.time_us,
        type=e.EVENT_TYPES[kind],  # type: ignore[arg-type]  # enum values are ints on the wire
        may_ignore=kind in _INFORMATIONAL,
        **{name: _TO_PROTO[kind](attributes)},
    )
    return message.SerializeToString()


def decode_event(data: bytes) -> e.Event:
    """Raises UnknownEvent."""
    return event_from_proto(pb.HistoryEvent.FromString(data))


def event_from_proto(message: pb.HistoryEvent) -> e.Event:
    entry = _FROM_PROTO.get(message.type)
    if entry is None:
        raise UnknownEvent(
            f"event {message.event_id} has type {message.type}, which this version of sched does "
            "not know; run the version that wrote it, or a newer one"
        )
    name, convert = entry
    return e.Event(message.event_id, message.time_us, convert(getattr(message, name)))


_INFORMATIONAL = frozenset({e.ActivityRetryScheduled, e.WorkflowTaskFailed})


# ---------------------------------------------------------------- to the API


def _started_to(a: e.WorkflowStarted) -> pb.WorkflowStarted:
    return pb.WorkflowStarted(
        workflow_id=a.workflow_id,
        run_id=a.run_id,
        workflow_type=a.workflow_type,
        task_queue=a.task_queue,
        input=payloads_to_proto(a.input),
        execution_timeout_us=a.execution_timeout_us,
        start_delay_us=a.start_delay_us,
        seed=a.seed,
        request_id=a.request_id,
        identity=a.identity,
        previous_run_id=a.previous_run_id,
        traceparent=a.traceparent,
        tracestate=a.tracestate,
        origin=_origin_to(a.origin),
    )


def _origin_to(origin: HistoryOrigin | None) -> pb.HistoryOrigin | None:
    if origin is None:
        return None
    return origin_to_proto(origin)


def origin_to_proto(origin: HistoryOrigin) -> pb.HistoryOrigin:
    return pb.HistoryOrigin(
        workflow_id=origin.workflow_id,
        run_id=origin.run_id,
        event_id=origin.event_id,
        signals=origin.signals,
        time_us=origin.time_us,
    )


def _task_completed_to(a: e.WorkflowTaskCompleted) -> pb.WorkflowTaskCompleted:
    return pb.WorkflowTaskCompleted(
        seen=a.seen,
        more=a.more,
        base=a.base,
        segment_id=a.segment_id,
        identity=a.identity,
        build_id=a.build_id,
        sdk=a.sdk,
        sdk_flags=a.sdk_flags,
        patches=a.patches,
        details=a.details,
    )


def _task_failed_to(a: e.WorkflowTaskFailed) -> pb.WorkflowTaskFailed:
    return pb.WorkflowTaskFailed(
        cause=a.cause,  # type: ignore[arg-type]
        failure=failure_to_proto(a.failure),
        identity=a.identity,
        build_id=a.build_id,
    )


def _activity_scheduled_to(a: e.ActivityScheduled) -> pb.ActivityScheduled:
    return pb.ActivityScheduled(
        seq=a.seq,
        name=a.name,
        task_queue=a.task_queue,
        input=payloads_to_proto(a.input),
        retry=retry_to_proto(a.retry),
        start_to_close_us=a.start_to_close_us,
        schedule_to_close_us=a.schedule_to_close_us,
        schedule_to_start_us=a.schedule_to_start_us,
        heartbeat_timeout_us=a.heartbeat_timeout_us,
        summary=a.summary,
        call_site=a.call_site,
    )


def _summary_to(summary: AttemptSummary) -> pb.AttemptSummary:
    return pb.AttemptSummary(
        attempts=summary.attempts,
        started_time_us=summary.started_time_us,
        identity=summary.identity,
    )


def _activity_completed_to(a: e.ActivityCompleted) -> pb.ActivityCompleted:
    return pb.ActivityCompleted(
        seq=a.seq, result=payload_to_proto(a.result), summary=_summary_to(a.summary)
    )


def _activity_failed_to(a: e.ActivityFailed) -> pb.ActivityFailed:
    return pb.ActivityFailed(
        seq=a.seq, failure=failure_to_proto(a.failure), summary=_summary_to(a.summary)
    )


def _activity_timed_out_to(a: e.ActivityTimedOut) -> pb.ActivityTimedOut:
    return pb.ActivityTimedOut(
        seq=a.seq, failure=failure_to_proto(a.failure), summary=_summary_to(a.summary)
    )


def _activity_canceled_to(a: e.ActivityCanceled) -> pb.ActivityCanceled:
    return pb.ActivityCanceled(
        seq=a.seq, failure=failure_to_proto(a.failure), summary=_summary_to(a.summary)
    )


def _cancel_activity_to(a: e.ActivityCancelRequested) -> pb.ActivityCancelRequested:
    return pb.ActivityCancelRequested(seq=a.seq, moot=a.moot, call_site=a.call_site)


def _activity_retry_to(a: e.ActivityRetryScheduled) -> pb.ActivityRetryScheduled:
    return pb.ActivityRetryScheduled(
        seq=a.seq,
        attempt=a.attempt,
        failure=failure_to_proto(a.failure),
        next_attempt_time_us=a.next_attempt_time_us,
    )


def _timer_scheduled_to(a: e.TimerScheduled) -> pb.TimerScheduled:
    return pb.TimerScheduled(
        seq=a.seq, duration_us=a.duration_us, due_time_us=a.due_time_us, call_site=a.call_site
    )


def _timer_fired_to(a: e.TimerFired) -> pb.TimerFired:
    return pb.TimerFired(seq=a.seq)


def _timer_canceled_to(a: e.TimerCanceled) -> pb.TimerCanceled:
    return pb.TimerCanceled(seq=a.seq, moot=a.moot, call_site=a.call_site)


def _signal_to(a: e.SignalReceived) -> pb.SignalReceived:
    return pb.SignalReceived(
        name=a.name,
        input=payloads_to_proto(a.input),
        request_id=a.request_id,
        identity=a.identity,
    )


def _cancel_requested_to(a: e.WorkflowCancelRequested) -> pb.WorkflowCancelRequested:
    return pb.WorkflowCancelRequested(reason=a.reason, request_id=a.request_id, identity=a.identity)


def _step_completed_to(a: e.StepCompleted) -> pb.StepCompleted:
    return pb.StepCompleted(
        seq=a.seq,
        name=a.name,
        result=payload_to_proto(a.result),
        attempt=a.attempt,
        deferred=a.deferred,
        duration_us=a.duration_us,
        call_site=a.call_site,
    )


def _step_failed_to(a: e.StepFailed) -> pb.StepFailed:
    return pb.StepFailed(
        seq=a.seq,
        name=a.name,
        failure=failure_to_proto(a.failure),
        attempt=a.attempt,
        deferred=a.deferred,
        retry_after_us=a.retry_after_us,
        duration_us=a.duration_us,
        call_site=a.call_site,
    )


def _completed_to(a: e.WorkflowCompleted) -> pb.WorkflowCompleted:
    return pb.WorkflowCompleted(result=payload_to_proto(a.result))


def _failed_to(a: e.WorkflowFailed) -> pb.WorkflowFailed:
    return pb.WorkflowFailed(failure=failure_to_proto(a.failure))


def _canceled_to(a: e.WorkflowCanceled) -> pb.WorkflowCanceled:
    return pb.WorkflowCanceled(failure=failure_to_proto(a.failure))


def _terminated_to(a: e.WorkflowTerminated) -> pb.WorkflowTerminated:
    return pb.WorkflowTerminated(
        reason=a.reason,
        request_id=a.request_id,
        identity=a.identity,
        new_run_id=a.new_run_id,
    )


def _timed_out_to(a: e.WorkflowTimedOut) -> pb.WorkflowTimedOut:
    return pb.WorkflowTimedOut(failure=failure_to_proto(a.failure))


def _marker_to(a: e.MarkerRecorded) -> pb.MarkerRecorded:
    return pb.MarkerRecorded(
        kind=a.kind,  # type: ignore[arg-type]  # enum values are ints on the wire
        id=a.id,
        call_site=a.call_site,
    )


_TO_PROTO: dict[type, Callable[[Any], Any]] = {
    e.WorkflowStarted: _started_to,
    e.WorkflowTaskCompleted: _task_completed_to,
    e.WorkflowTaskFailed: _task_failed_to,
    e.ActivityScheduled: _activity_scheduled_to,
    e.ActivityCompleted: _activity_completed_to,
    e.ActivityFailed: _activity_failed_to,
    e.ActivityTimedOut: _activity_timed_out_to,
    e.ActivityCanceled: _activity_canceled_to,
    e.ActivityCancelRequested: _cancel_activity_to,
    e.ActivityRetryScheduled: _activity_retry_to,
    e.TimerScheduled: _timer_scheduled_to,
    e.TimerFired: _timer_fired_to,
    e.TimerCanceled: _timer_canceled_to,
    e.SignalReceived: _signal_to,
    e.WorkflowCancelRequested: _cancel_requested_to,
    e.StepCompleted: _step_completed_to,
    e.StepFailed: _step_failed_to,
    e.WorkflowCompleted: _completed_to,
    e.WorkflowFailed: _failed_to,
    e.WorkflowCanceled: _canceled_to,
    e.WorkflowTerminated: _terminated_to,
    e.WorkflowTimedOut: _timed_out_to,
    e.MarkerRecorded: _marker_to,
}


# ---------------------------------------------------------------- from the API

# How a field that is no plain value is read, by field name.
_NESTED: dict[str, Callable[[Any], Any]] = {
    "input": payloads_from_proto,
    "result": lambda m: Payload(m.encoding, m.data),
    "failure": failure_from_proto,
    "retry": retry_from_proto,
    "summary": lambda m: (
        m
        if isinstance(m, str)  # an activity's summary text shares the name
        else AttemptSummary(m.attempts, m.started_time_us, m.identity)
    ),
    "sdk_flags": tuple,
    "patches": tuple,
    "origin": lambda m: (
        HistoryOrigin(m.workflow_id, m.run_id, m.event_id, m.signals, m.time_us)
        if m.run_id
        else None
    ),
}


# Fields of which it matters whether they are there, even with nothing in them.
_OPTIONAL = frozenset({"details"})


def _reader(kind: type) -> Callable[[Any], Any]:
    fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    plain = tuple(name for name in fields if name not in _NESTED and name not in _OPTIONAL)
    nested = tuple((name, _NESTED[name]) for name in fields if name in _NESTED)
    optional = tuple(name for name in fields if name in _OPTIONAL)

    def read(message: Any) -> Any:
        values = {name: getattr(message, name) for name in plain}
        for name, convert in nested:
            values[name] = convert(getattr(message, name))
        for name in optional:
            values[name] = getattr(message, name) if message.HasField(name) else None
        return kind(**values)

    return read


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


_FIELDS: dict[type, str] = {kind: _snake(kind.__name__) for kind in e.EVENT_TYPES}
_FROM_PROTO: dict[int, tuple[str, Callable[[Any], Any]]] = {
    number: (_FIELDS[kind], _reader(kind)) for kind, number in e.EVENT_TYPES.items()
}

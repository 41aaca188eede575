"""Commands of a segment, from the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_server.core import inputs as i
from sched_server.core.values import Payload, RetryPolicy

from .values import (
    failure_from_proto,
    payload_from_proto,
    payloads_from_proto,
    retry_from_proto,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk.api.v1 import worker_service_pb2 as pb


class UnknownCommand(ValueError):  # noqa: N818
    """A newer SDK asked for something this engine does not know."""


def command_from_proto(message: pb.Command) -> i.Command:
    name = message.WhichOneof("command")
    convert = _CONVERTERS.get(name or "")
    if convert is None:
        raise UnknownCommand(
            f"command {message.seq} is of a kind that this engine does not know; "
            "upgrade the engine to the version of the worker's SDK"
        )
    return convert(message, getattr(message, name))  # type: ignore[arg-type]


def _schedule_activity(message: pb.Command, body: pb.ScheduleActivity) -> i.ScheduleActivity:
    return i.ScheduleActivity(
        seq=message.seq,
        call_site=message.call_site,
        name=body.name,
        task_queue=body.task_queue,
        input=payloads_from_proto(body.input),
        retry=retry_from_proto(body.retry) if body.HasField("retry") else RetryPolicy(),
        start_to_close_us=body.start_to_close_us,
        schedule_to_close_us=body.schedule_to_close_us,
        schedule_to_start_us=body.schedule_to_start_us,
        heartbeat_timeout_us=body.heartbeat_timeout_us,
        summary=body.summary,
    )


def _request_cancel(message: pb.Command, _: Any) -> i.RequestCancelActivity:
    return i.RequestCancelActivity(seq=message.seq, call_site=message.call_site)


def _start_timer(message: pb.Command, body: pb.StartTimer) -> i.StartTimer:
    return i.StartTimer(seq=message.seq, call_site=message.call_site, duration_us=body.duration_us)


def _cancel_timer(message: pb.Command, _: Any) -> i.CancelTimer:
    return i.CancelTimer(seq=message.seq, call_site=message.call_site)


def _record_step(message: pb.Command, body: pb.RecordStep) -> i.RecordStep:
    failed = body.HasField("failure")
    return i.RecordStep(
        seq=message.seq,
        call_site=message.call_site,
        name=body.name,
        attempt=body.attempt,
        duration_us=body.duration_us,
        retry_after_us=body.retry_after_us,
        result=None if failed else payload_from_proto(body.result),
        failure=failure_from_proto(body.failure) if failed else None,
    )


def _record_marker(message: pb.Command, body: pb.RecordMarker) -> i.RecordMarker:
    return i.RecordMarker(call_site=message.call_site, kind=body.kind, id=body.id)


def _complete(_: pb.Command, body: pb.CompleteWorkflow) -> i.CompleteWorkflow:
    return i.CompleteWorkflow(result=Payload(body.result.encoding, body.result.data))


def _fail(_: pb.Command, body: pb.FailWorkflow) -> i.FailWorkflow:
    return i.FailWorkflow(failure=failure_from_proto(body.failure))


def _cancel(_: pb.Command, body: pb.CancelWorkflowExecution) -> i.CancelWorkflowExecution:
    return i.CancelWorkflowExecution(failure=failure_from_proto(body.failure))


_CONVERTERS: dict[str, Callable[[pb.Command, Any], i.Command]] = {
    "schedule_activity": _schedule_activity,
    "request_cancel_activity": _request_cancel,
    "start_timer": _start_timer,
    "cancel_timer": _cancel_timer,
    "record_step": _record_step,
    "record_marker": _record_marker,
    "complete_workflow": _complete,
    "fail_workflow": _fail,
    "cancel_workflow": _cancel,
}

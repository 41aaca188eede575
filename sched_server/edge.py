"""Checks of what comes from outside, before it reaches a run.

Every message names the value, the limit and the remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core.decision import Rejection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk.api.v1 import common_pb2
    from sched_sdk.api.v1 import worker_service_pb2 as pb
    from sched_server.settings import ApiLimits

_SHOWN = 40


def invalid(message: str) -> Rejection:
    return Rejection("INVALID_ARGUMENT", message)


def check_name(limits: ApiLimits, what: str, value: str, *, required: bool = True) -> None:
    """Ids, names and types are short text without U+0000."""
    if not value:
        if required:
            raise invalid(f"{what} is empty; give one")
        return
    if len(value) > limits.id_characters:
        raise invalid(
            f"{what} {value[:_SHOWN]!r}… has {len(value):,} characters, the limit is "
            f"{limits.id_characters}; choose a shorter one"
        )
    if "\x00" in value:
        raise invalid(f"{what} {value[:_SHOWN]!r} contains U+0000, which no text column can hold")


def check_target(limits: ApiLimits, workflow_id: str, run_id: str) -> None:
    """Which run a call means."""
    check_name(limits, "the workflow id", workflow_id)
    check_name(limits, "the run id", run_id, required=False)


def check_sender(limits: ApiLimits, request_id: str, identity: str) -> None:
    """By which request a change is asked for, and by whom."""
    check_name(limits, "the request id", request_id, required=False)
    check_text(limits, "the identity", identity)


def check_text(limits: ApiLimits, what: str, value: str) -> None:
    """Reasons, identities and the like: text of bounded size."""
    if "\x00" in value:
        raise invalid(f"{what} contains U+0000, which no text column can hold")
    check_size(limits, what, len(value))


def check_size(limits: ApiLimits, what: str, size: int) -> None:
    if size > limits.payload_bytes:
        raise Rejection("LIMIT_EXCEEDED", over_size(limits, what, size))


def over_size(limits: ApiLimits, what: str, size: int) -> str:
    return (
        f"{what} has {size:,} bytes, the limit is {limits.payload_bytes:,}; store large data "
        "elsewhere and pass a reference"
    )


def check_payloads(limits: ApiLimits, what: str, payloads: Sequence[common_pb2.Payload]) -> None:
    """The limit holds for all values of one call together."""
    check_size(limits, what, sum(len(payload.data) for payload in payloads))


def check_duration(what: str, value_us: int) -> None:
    if value_us < 0:
        raise invalid(f"{what} is negative ({value_us / 1_000_000:g} s); use 0 for none")
    if value_us > 100 * 366 * 86_400 * 1_000_000:
        raise invalid(f"{what} is over 100 years ({value_us / 1_000_000:g} s)")


def check_segment(limits: ApiLimits, segment: pb.WorkflowSegment) -> None:
    """What a worker's commands may hold. The rest of their shape is the core's."""
    if segment.HasField("details"):
        _check_details(limits, segment.details)
    for command in segment.commands:
        name = command.WhichOneof("command")
        if name == "schedule_activity":
            _check_activity(limits, command.schedule_activity)
        elif name == "start_timer":
            # A sleep of less than nothing is one of nothing.
            check_duration("a sleep", max(command.start_timer.duration_us, 0))
        elif name == "record_step":
            step = command.record_step
            check_name(limits, "the name of a step", step.name)
            check_size(limits, f"the result of step {step.name!r}", len(step.result.data))
        elif name == "record_marker":
            check_name(limits, "the id of a patch", command.record_marker.id)
        elif name == "complete_workflow":
            result = command.complete_workflow.result
            check_size(limits, "the workflow's result", len(result.data))


def _check_details(limits: ApiLimits, details: str) -> None:
    if len(details) > limits.details_characters:
        raise Rejection(
            "LIMIT_EXCEEDED",
            f"the details of the workflow have {len(details):,} characters, the limit is "
            f"{limits.details_characters:,}; say less, or answer a query with the rest",
        )
    if "\x00" in details:
        raise invalid(
            "the details of the workflow contain U+0000, which no text column can hold; "
            "leave it out"
        )


def _check_activity(limits: ApiLimits, body: pb.ScheduleActivity) -> None:
    check_name(limits, "the activity name", body.name)
    check_name(limits, "the task queue", body.task_queue, required=False)
    check_payloads(limits, f"the input of activity {body.name!r}", body.input)
    for what in ("start_to_close", "schedule_to_close", "schedule_to_start", "heartbeat_timeout"):
        check_duration(f"{what} of activity {body.name!r}", getattr(body, f"{what}_us"))
    if body.HasField("retry"):
        check_retry(body.retry)


def check_retry(retry: common_pb2.RetryPolicy) -> None:
    check_duration("initial_interval", retry.initial_interval_us)
    check_duration("maximum_interval", retry.maximum_interval_us)
    if retry.backoff_coefficient and not 1.0 <= retry.backoff_coefficient <= 1_000.0:
        raise invalid(
            f"backoff_coefficient is {retry.backoff_coefficient:g}; it must be between 1 and 1000"
        )
    if retry.maximum_attempts < 0:
        raise invalid(f"maximum_attempts is {retry.maximum_attempts}; use 0 for no limit")

"""Payloads, failures, retry policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import common_pb2 as pb
from sched_server.core.values import Failure, Payload, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

# Nested causes beyond this depth are cut off; a failure is for people.
MAX_CAUSES = 20


def payload_from_proto(message: pb.Payload) -> Payload:
    return Payload(message.encoding, message.data)


def payloads_from_proto(messages: Iterable[pb.Payload]) -> tuple[Payload, ...]:
    return tuple([Payload(message.encoding, message.data) for message in messages])


def payload_to_proto(payload: Payload) -> pb.Payload:
    if payload.encoding:
        return pb.Payload(encoding=payload.encoding, data=payload.data)
    return pb.Payload(data=payload.data)


def payloads_to_proto(payloads: Iterable[Payload]) -> list[pb.Payload]:
    return [payload_to_proto(payload) for payload in payloads]


def failure_from_proto(message: pb.Failure, depth: int = 0) -> Failure:
    cause = None
    if message.HasField("cause") and depth < MAX_CAUSES:
        cause = failure_from_proto(message.cause, depth + 1)
    return Failure(
        kind=message.kind or 1,
        type=message.type,
        message=message.message,
        traceback=message.traceback,
        cause=cause,
        details=payloads_from_proto(message.details),
        non_retryable=message.non_retryable,
        activity_name=message.activity_name,
    )


def failure_to_proto(failure: Failure) -> pb.Failure:
    message = pb.Failure(
        kind=failure.kind,  # type: ignore[arg-type]  # enum values are ints on the wire
        type=failure.type,
        message=failure.message,
        traceback=failure.traceback,
        details=payloads_to_proto(failure.details),
        non_retryable=failure.non_retryable,
        activity_name=failure.activity_name,
    )
    if failure.cause is not None:
        message.cause.CopyFrom(failure_to_proto(failure.cause))
    return message


def retry_from_proto(message: pb.RetryPolicy) -> RetryPolicy:
    """A field that is not set has its default."""
    default = RetryPolicy()
    return RetryPolicy(
        initial_interval_us=message.initial_interval_us or default.initial_interval_us,
        backoff_coefficient=message.backoff_coefficient or default.backoff_coefficient,
        maximum_interval_us=message.maximum_interval_us or default.maximum_interval_us,
        maximum_attempts=message.maximum_attempts,
        non_retryable_error_types=tuple(message.non_retryable_error_types),
    )


def retry_to_proto(policy: RetryPolicy) -> pb.RetryPolicy:
    return pb.RetryPolicy(
        initial_interval_us=policy.initial_interval_us,
        backoff_coefficient=policy.backoff_coefficient,
        maximum_interval_us=policy.maximum_interval_us,
        maximum_attempts=policy.maximum_attempts,
        non_retryable_error_types=policy.non_retryable_error_types,
    )

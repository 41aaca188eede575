"""The engine's refusals as exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from sched_sdk._failures import exception_from_failure
from sched_sdk.api.v1 import common_pb2
from sched_sdk.errors import (
    ActivityNotFoundError,
    AuthenticationError,
    EngineError,
    EngineUnavailableError,
    InvalidArgumentError,
    LimitExceededError,
    NoWorkerError,
    QueryFailedError,
    QueryNotFoundError,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
    WorkflowNotFoundError,
)

if TYPE_CHECKING:
    import grpc.aio

    from sched_sdk.api.v1 import workflow_service_pb2

__all__ = ["error_from_reason", "error_from_reply", "error_from_rpc", "has_reason", "is_transient"]

_ERRORS: dict[int, type[EngineError]] = {
    common_pb2.ERROR_REASON_WORKFLOW_NOT_FOUND: WorkflowNotFoundError,
    common_pb2.ERROR_REASON_WORKFLOW_ALREADY_STARTED: WorkflowAlreadyStartedError,
    common_pb2.ERROR_REASON_WORKFLOW_CLOSED: WorkflowClosedError,
    common_pb2.ERROR_REASON_INVALID_ARGUMENT: InvalidArgumentError,
    common_pb2.ERROR_REASON_LIMIT_EXCEEDED: LimitExceededError,
    common_pb2.ERROR_REASON_STALE_TASK: ActivityNotFoundError,
    common_pb2.ERROR_REASON_ACTIVITY_NOT_FOUND: ActivityNotFoundError,
    common_pb2.ERROR_REASON_UNAVAILABLE: EngineUnavailableError,
    common_pb2.ERROR_REASON_QUERY_NOT_FOUND: QueryNotFoundError,
    common_pb2.ERROR_REASON_QUERY_FAILED: QueryFailedError,
    common_pb2.ERROR_REASON_NO_WORKER: NoWorkerError,
}

# What unary calls mean when they carry no reason of ours.
_BY_STATUS: dict[grpc.StatusCode, type[EngineError]] = {
    grpc.StatusCode.UNAVAILABLE: EngineUnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: EngineUnavailableError,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitExceededError,
}

# The connection broke, or the engine is not serving; the same call may succeed
# on the next connection. CANCELLED and UNKNOWN are what a dying server leaves.
_TRANSIENT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    }
)


def error_from_reason(reason: int, message: str, *, workflow_id: str = "") -> EngineError:
    """The exception for an ErrorReason."""
    kind = _ERRORS.get(reason, EngineError)
    if kind is WorkflowAlreadyStartedError:
        return WorkflowAlreadyStartedError(message, workflow_id=workflow_id)
    return kind(message)


def error_from_reply(
    error: workflow_service_pb2.CallError, *, workflow_id: str = ""
) -> EngineError:
    """The exception for a refused call of the multiplexed stream."""
    if error.reason == common_pb2.ERROR_REASON_QUERY_NOT_FOUND:
        return QueryNotFoundError(error.message, known=error.known_queries)
    exception = error_from_reason(error.reason, error.message, workflow_id=workflow_id)
    if error.HasField("failure"):
        exception.__cause__ = exception_from_failure(error.failure)
    return exception


def error_from_rpc(error: grpc.aio.AioRpcError) -> EngineError:
    """The exception for a failed RPC of its own."""
    message = error.details() or error.code().name
    reason = _reason(error)
    if reason:
        return error_from_reason(reason, message)
    return _BY_STATUS.get(error.code(), EngineError)(message)


def is_transient(error: grpc.aio.AioRpcError) -> bool:
    """Whether the call may succeed when it is made again."""
    reason = _reason(error)
    if reason:
        return reason == common_pb2.ERROR_REASON_UNAVAILABLE
    return error.code() in _TRANSIENT


def has_reason(error: grpc.aio.AioRpcError) -> bool:
    """Whether an engine answered, and said why not."""
    return _reason(error) != 0


def _reason(error: grpc.aio.AioRpcError) -> int:
    """The ErrorReason in the trailing metadata; 0 when there is none."""
    metadata: Any = error.trailing_metadata()  # a Metadata mapping, whatever the type stubs say
    name = metadata.get("sched-reason") if metadata else None
    if not name:
        return 0
    name = name.decode() if isinstance(name, bytes) else name
    name = name if name.startswith("ERROR_REASON_") else f"ERROR_REASON_{name}"
    return dict(common_pb2.ErrorReason.items()).get(name, 0)

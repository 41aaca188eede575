"""Engine errors as gRPC statuses."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

import grpc

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server.errors import Rejection, Unavailable
from sched_server.store.port import StoreDataError, StoreError

if TYPE_CHECKING:
    from typing import Any

    from sched_server.observability.measures import Measures

logger = logging.getLogger("sched.engine")

_CODES: dict[str, grpc.StatusCode] = {
    "WORKFLOW_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "ACTIVITY_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "WORKFLOW_ALREADY_STARTED": grpc.StatusCode.ALREADY_EXISTS,
    "WORKFLOW_CLOSED": grpc.StatusCode.FAILED_PRECONDITION,
    "INVALID_ARGUMENT": grpc.StatusCode.INVALID_ARGUMENT,
    "LIMIT_EXCEEDED": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "UNAVAILABLE": grpc.StatusCode.UNAVAILABLE,
    "INTERNAL": grpc.StatusCode.INTERNAL,
    "CANCELED": grpc.StatusCode.CANCELLED,
    "QUERY_NOT_FOUND": grpc.StatusCode.NOT_FOUND,
    "QUERY_FAILED": grpc.StatusCode.FAILED_PRECONDITION,
    "NO_WORKER": grpc.StatusCode.FAILED_PRECONDITION,
}


def call_error(error: BaseException) -> pb.CallError:
    """What a caller is told. Unexpected errors are logged here, in full, and
    reach the caller without their insides."""
    if isinstance(error, Rejection):
        reason, message = error.reason, error.message
    elif isinstance(error, StoreDataError):
        reason, message = "INVALID_ARGUMENT", f"the store does not take a value: {error}"
    elif isinstance(error, Unavailable | StoreError):
        reason, message = "UNAVAILABLE", str(error)
    else:
        logger.error("a call failed unexpectedly", exc_info=error)
        reason = "INTERNAL"
        message = "the engine met an unexpected error; its log says more"
    code: int = _CODES[reason].value[0]
    return pb.CallError(
        code=code,
        reason=common_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}"),
        message=message,
        failure=getattr(error, "failure", None),
        known_queries=getattr(error, "known", ()),
    )


_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


async def abort(
    context: grpc.aio.ServicerContext[Any, Any], error: BaseException, measures: Measures
) -> NoReturn:
    """End a unary or streaming RPC with the error."""
    told = call_error(error)
    measures.errors[told.reason] += 1
    reason = common_pb2.ErrorReason.Name(told.reason).removeprefix("ERROR_REASON_")
    metadata = [("sched-reason", reason)]
    leader = getattr(error, "leader", "")
    if leader:
        metadata.append(("sched-leader", leader))
    await context.abort(_BY_NUMBER[told.code], told.message, tuple(metadata))
    raise AssertionError("abort raises")

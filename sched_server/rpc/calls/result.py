"""GetWorkflowResult: how a run ended, waiting for its end if asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import edge
from sched_server.codec import failure_to_proto, payload_to_proto
from sched_server.core import events as e
from sched_server.core.values import Failure, FailureKind

if TYPE_CHECKING:
    from sched_server.engine import Engine

_STATUS: dict[type, common_pb2.WorkflowStatus.ValueType] = {
    e.WorkflowCompleted: common_pb2.WORKFLOW_STATUS_COMPLETED,
    e.WorkflowFailed: common_pb2.WORKFLOW_STATUS_FAILED,
    e.WorkflowCanceled: common_pb2.WORKFLOW_STATUS_CANCELED,
    e.WorkflowTerminated: common_pb2.WORKFLOW_STATUS_TERMINATED,
    e.WorkflowTimedOut: common_pb2.WORKFLOW_STATUS_TIMED_OUT,
}


async def get_workflow_result(
    engine: Engine, request: pb.GetWorkflowResultRequest
) -> pb.GetWorkflowResultResponse:
    edge.check_target(engine.settings.api_limits, request.workflow_id, request.run_id)
    run_id, outcome = await engine.outcome(
        request.workflow_id, request.run_id, request.wait_ms / 1_000
    )
    return pb.GetWorkflowResultResponse(outcome=outcome_to_proto(run_id, outcome))


def outcome_to_proto(run_id: str, outcome: e.TerminalAttributes | None) -> pb.WorkflowOutcome:
    if outcome is None:
        return pb.WorkflowOutcome(run_id=run_id, status=common_pb2.WORKFLOW_STATUS_RUNNING)
    message = pb.WorkflowOutcome(run_id=run_id, status=_STATUS[type(outcome)])
    if isinstance(outcome, e.WorkflowCompleted):
        message.result.CopyFrom(payload_to_proto(outcome.result))
    elif isinstance(outcome, e.WorkflowTerminated):
        by = f" by {outcome.identity}" if outcome.identity else ""
        reason = f": {outcome.reason}" if outcome.reason else ""
        failure = Failure(
            kind=FailureKind.TERMINATED, type="Terminated", message=f"terminated{by}{reason}"
        )
        message.failure.CopyFrom(failure_to_proto(failure))
        message.new_run_id = outcome.new_run_id
    else:
        message.failure.CopyFrom(failure_to_proto(outcome.failure))
    return message

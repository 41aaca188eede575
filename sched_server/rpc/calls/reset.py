"""ResetWorkflow: reset, and fork."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import edge
from sched_server.copying import CopyRequest, begin_copy
from sched_server.core.deciders.copy import before_first_task, before_last_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_server.engine import Engine
    from sched_server.settings import ApiLimits

_POINTS: dict[int, Callable[[Sequence[int]], int]] = {
    pb.ResetWorkflowRequest.POINT_FIRST_WORKFLOW_TASK: before_first_task,
    pb.ResetWorkflowRequest.POINT_LAST_WORKFLOW_TASK: before_last_task,
}


async def reset_workflow(
    engine: Engine, request: pb.ResetWorkflowRequest
) -> pb.ResetWorkflowResponse:
    _check(engine.settings.api_limits, request)
    done = await begin_copy(
        engine,
        CopyRequest(
            workflow_id=request.workflow_id,
            run_id=request.run_id,
            point=_point(request),
            keep_signals=not request.drop_signals,
            fork=request.fork,
            new_workflow_id=request.new_workflow_id,
            reason=request.reason,
            request_id=request.request_id or engine.machine.new_uuid().hex,
            identity=request.identity,
        ),
    )
    return pb.ResetWorkflowResponse(
        workflow_id=done.workflow_id,
        run_id=done.run_id,
        event_id=done.origin.event_id,
        signals=done.origin.signals,
    )


def _point(request: pb.ResetWorkflowRequest) -> Callable[[Sequence[int]], int]:
    if request.WhichOneof("to") == "event_id":
        return lambda _: request.event_id
    point = _POINTS.get(request.point)
    if point is None:
        raise edge.invalid("the point to go back to is missing; give an event id, or a point")
    return point


def _check(limits: ApiLimits, request: pb.ResetWorkflowRequest) -> None:
    edge.check_target(limits, request.workflow_id, request.run_id)
    edge.check_sender(limits, request.request_id, request.identity)
    edge.check_name(limits, "the new workflow id", request.new_workflow_id, required=False)
    edge.check_text(limits, "the reason", request.reason)
    if request.new_workflow_id and not request.fork:
        raise edge.invalid("a reset keeps the workflow id; to have another one, fork")

"""SignalWorkflow, CancelWorkflow, TerminateWorkflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import edge
from sched_server.codec import payloads_from_proto
from sched_server.core.inputs import CancelWorkflow, SignalWorkflow, TerminateWorkflow

if TYPE_CHECKING:
    from sched_server.engine import Engine
    from sched_server.settings import ApiLimits


async def signal_workflow(
    engine: Engine, request: pb.SignalWorkflowRequest
) -> pb.SignalWorkflowResponse:
    limits = engine.settings.api_limits
    _check(limits, request)
    edge.check_name(limits, "the signal name", request.name)
    edge.check_payloads(limits, f"the payload of signal {request.name!r}", request.input)
    run_id = await engine.change(
        request.workflow_id,
        request.run_id,
        SignalWorkflow(
            name=request.name,
            input=payloads_from_proto(request.input),
            request_id=request.request_id or engine.machine.new_uuid().hex,
            identity=request.identity,
        ),
    )
    return pb.SignalWorkflowResponse(run_id=run_id)


async def cancel_workflow(
    engine: Engine, request: pb.CancelWorkflowRequest
) -> pb.CancelWorkflowResponse:
    return pb.CancelWorkflowResponse(run_id=await _stop(engine, request, CancelWorkflow))


async def terminate_workflow(
    engine: Engine, request: pb.TerminateWorkflowRequest
) -> pb.TerminateWorkflowResponse:
    return pb.TerminateWorkflowResponse(run_id=await _stop(engine, request, TerminateWorkflow))


async def _stop(
    engine: Engine,
    request: pb.CancelWorkflowRequest | pb.TerminateWorkflowRequest,
    kind: type[CancelWorkflow | TerminateWorkflow],
) -> str:
    """Returns the run id."""
    limits = engine.settings.api_limits
    _check(limits, request)
    edge.check_text(limits, "the reason", request.reason)
    change = kind(reason=request.reason, request_id=request.request_id, identity=request.identity)
    return await engine.change(request.workflow_id, request.run_id, change)


def _check(
    limits: ApiLimits,
    request: pb.SignalWorkflowRequest | pb.CancelWorkflowRequest | pb.TerminateWorkflowRequest,
) -> None:
    edge.check_target(limits, request.workflow_id, request.run_id)
    edge.check_sender(limits, request.request_id, request.identity)

"""StartWorkflow: idempotent by request id; may wait for the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import edge
from sched_server.codec import payloads_from_proto
from sched_server.core.inputs import StartWorkflow
from sched_server.engine import IdConflict
from sched_server.execution import Execution
from sched_server.lookup import id_from_request
from sched_server.observability import trace_context

from .result import outcome_to_proto

if TYPE_CHECKING:
    from sched_server.engine import Engine
    from sched_server.settings import ApiLimits

DEFAULT_TASK_QUEUE = "default"


async def start_workflow(
    engine: Engine, request: pb.StartWorkflowRequest
) -> pb.StartWorkflowResponse:
    _check(engine.settings.api_limits, request)
    # A start without an id of its own cannot be recognised when it is sent again.
    request_id = request.request_id or engine.machine.new_uuid().hex
    traceparent, tracestate = request.traceparent, request.tracestate
    if traceparent or tracestate:
        traceparent, tracestate = trace_context.usable(traceparent, tracestate)
    run, started = await engine.start(
        StartWorkflow(
            workflow_id=request.workflow_id or id_from_request(request_id),
            run_id="",
            workflow_type=request.workflow_type,
            task_queue=request.task_queue or DEFAULT_TASK_QUEUE,
            input=payloads_from_proto(request.input),
            execution_timeout_us=request.execution_timeout_us,
            start_delay_us=request.start_delay_us,
            request_id=request_id,
            identity=request.identity,
            traceparent=traceparent,
            tracestate=tracestate,
        ),
        IdConflict(request.id_conflict or IdConflict.FAIL),
    )
    facts = run.state if isinstance(run, Execution) else run
    response = pb.StartWorkflowResponse(
        workflow_id=facts.workflow_id, run_id=facts.run_id, started=started
    )
    if request.wait_ms:
        outcome = await engine.outcome_of(run.run_key, request.wait_ms / 1_000)
        if outcome is not None:
            response.outcome.CopyFrom(outcome_to_proto(facts.run_id, outcome))
    return response


def _check(limits: ApiLimits, request: pb.StartWorkflowRequest) -> None:
    edge.check_name(limits, "the workflow type", request.workflow_type)
    edge.check_name(limits, "the workflow id", request.workflow_id, required=False)
    edge.check_name(limits, "the task queue", request.task_queue, required=False)
    edge.check_sender(limits, request.request_id, request.identity)
    edge.check_payloads(limits, f"the input of workflow {request.workflow_type!r}", request.input)
    edge.check_duration("execution_timeout", request.execution_timeout_us)
    edge.check_duration("start_delay", request.start_delay_us)
    if request.id_conflict not in (0, *IdConflict):
        raise edge.invalid(f"id_conflict {request.id_conflict} is not known to this engine")

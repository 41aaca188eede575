"""QueryWorkflow: ask the code of a run something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import edge

if TYPE_CHECKING:
    from sched_server.engine import Engine


async def query_workflow(
    engine: Engine, request: pb.QueryWorkflowRequest
) -> pb.QueryWorkflowResponse:
    limits = engine.settings.api_limits
    edge.check_target(limits, request.workflow_id, request.run_id)
    edge.check_name(limits, "the query name", request.name)
    edge.check_payloads(limits, f"the input of query {request.name!r}", request.input)
    row = await engine.row(request.workflow_id, request.run_id)
    result = await engine.queries.ask(row, request.name, request.input)
    return pb.QueryWorkflowResponse(run_id=row.run_id, result=result)

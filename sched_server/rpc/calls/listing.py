"""ListWorkflows, CountWorkflows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import edge
from sched_server.store.port import RunFilter

if TYPE_CHECKING:
    from sched_server.engine import Engine
    from sched_server.settings import ApiLimits
    from sched_server.store.port import EventMark, RunRow

DEFAULT_PAGE = 100
DETAILS_SHOWN = 200
"""Characters of a workflow's details in a list."""


async def list_workflows(
    engine: Engine, request: pb.ListWorkflowsRequest
) -> pb.ListWorkflowsResponse:
    limits = engine.settings.api_limits
    if request.page_size < 0:
        raise edge.invalid(f"page_size is {request.page_size}; it must be 0 or more")
    size = min(request.page_size or DEFAULT_PAGE, limits.page_workflows)
    rows = await engine.store.list_runs(
        _read_filter(limits, request.filter), after=_read_token(request.page_token), limit=size
    )
    token = b""
    if len(rows) == size:
        token = msgspec.json.encode((rows[-1].started_us, rows[-1].run_key))
    infos = [info_to_proto(row) for row in rows]
    if request.with_last_event:
        marks = await engine.store.read_event_marks(
            [(row.run_key, row.last_event_id) for row in rows]
        )
        for row, info in zip(rows, infos, strict=True):
            put_last_event(info, marks.get(row.run_key))
    if request.with_details:
        said = await engine.store.read_details([row.run_key for row in rows])
        for row, info in zip(rows, infos, strict=True):
            info.details = _in_a_line(said.get(row.run_key, ""))
    return pb.ListWorkflowsResponse(workflows=infos, next_page_token=token)


async def count_workflows(
    engine: Engine, request: pb.CountWorkflowsRequest
) -> pb.CountWorkflowsResponse:
    run_filter = _read_filter(engine.settings.api_limits, request.filter)
    counts = await engine.store.count_runs(run_filter)
    return pb.CountWorkflowsResponse(
        total=sum(counts.values()),
        by_status=[
            pb.StatusCount(status=status, count=count)  # type: ignore[arg-type]  # an int on the wire
            for status, count in sorted(counts.items())
        ],
    )


def _read_filter(limits: ApiLimits, message: pb.WorkflowFilter) -> RunFilter:
    edge.check_name(limits, "the workflow type", message.workflow_type, required=False)
    edge.check_name(limits, "the task queue", message.task_queue, required=False)
    edge.check_name(limits, "the build id", message.build_id, required=False)
    edge.check_name(limits, "the workflow id prefix", message.workflow_id_prefix, required=False)
    return RunFilter(
        statuses=tuple(message.statuses),
        workflow_type=message.workflow_type,
        task_queue=message.task_queue,
        workflow_id_prefix=message.workflow_id_prefix,
        started_after_us=message.started_after_time_us,
        started_before_us=message.started_before_time_us,
        build_id=message.build_id,
    )


def _read_token(token: bytes) -> tuple[int, int] | None:
    if not token:
        return None
    try:
        return msgspec.json.decode(token, type=tuple[int, int])
    except msgspec.DecodeError as error:
        raise edge.invalid("page_token is not one that this engine gave out") from error


def info_to_proto(row: RunRow) -> pb.WorkflowInfo:
    return pb.WorkflowInfo(
        workflow_id=row.workflow_id,
        run_id=row.run_id,
        workflow_type=row.workflow_type,
        task_queue=row.task_queue,
        status=row.status,  # type: ignore[arg-type]
        start_time_us=row.started_us,
        close_time_us=row.closed_us,
        history_length=row.last_event_id,
        build_id=row.build_id,
    )


def put_last_event(info: pb.WorkflowInfo, mark: EventMark | None) -> None:
    if mark is not None:
        info.last_event.type = mark.type  # type: ignore[assignment]  # an int on the wire
        info.last_event.time_us = mark.time_us


def _in_a_line(details: str) -> str:
    """What a list has room for: the first line that says something."""
    first = next(iter(details.strip().splitlines()), "").rstrip()
    return first if len(first) <= DETAILS_SHOWN else first[: DETAILS_SHOWN - 1] + "…"

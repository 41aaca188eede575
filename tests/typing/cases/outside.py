"""Clients and activities: results follow the function that was passed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from sched_sdk import (
    Client,
    Worker,
    WorkflowContext,
    WorkflowHandle,
    activity,
    activity_context,
    workflow,
)


@workflow
async def monthly_report(ctx: WorkflowContext, month: str, copies: int = 1) -> str:
    await ctx.sleep(2)
    return month * copies


def progress(of: str) -> float:
    """As a workflow declares it."""
    raise NotImplementedError(of)


@activity
async def count(until: int) -> int:
    context = activity_context()
    assert_type(context.attempt, int)
    assert_type(context.cancelled, bool)
    assert_type(context.task_token, bytes)
    assert_type(context.last_heartbeat_details, Any)
    assert_type(context.heartbeat_details_as(int), int | None)
    context.heartbeat({"at": until})
    context.heartbeat(1, 2)  # expect-error
    context.attempt = 3  # expect-error
    if until == 0:
        context.complete_elsewhere()
    return context.info.maximum_attempts


async def client_side(client: Client) -> None:
    assert_type(await client.execute_workflow(monthly_report, "2026-11"), str)
    assert_type(await client.execute_workflow(monthly_report, "2026-11", 2, id="r"), str)
    assert_type(await client.execute_workflow("report", "2026-11", result_type=int), int)
    assert_type(await client.execute_workflow("report", "2026-11"), Any)
    handle = await client.start_workflow(
        monthly_report,
        "2026-11",
        id="report-2026-11",
        task_queue="reports",
        execution_timeout=timedelta(hours=1),
        id_conflict="use_existing",
        request_id="r1",
        start_delay=3,
    )
    assert_type(handle, WorkflowHandle[str])
    assert_type(await handle.result(timeout=3), str)
    assert_type(handle.id, str)
    assert_type(client.workflow("r", result_type=int), WorkflowHandle[int])
    assert_type(client.workflow("r"), WorkflowHandle[Any])
    await handle.signal("approve", {"by": "ops"})
    async for info in client.list_workflows(limit=3):
        assert_type(info.workflow_id, str)
    async for event in handle.history():
        assert_type(event.event_id, int)

    assert_type(await handle.query(progress, "left"), float)
    assert_type(await handle.query("progress", 1, result_type=int), int)
    assert_type(await handle.query("progress", 1, timeout=2), Any)

    await handle.query(progress, 3)  # expect-error
    await handle.query(3)  # expect-error
    await handle.query("progress", timeout="2s")  # expect-error
    await client.execute_workflow(monthly_report)  # expect-error
    await client.execute_workflow(monthly_report, 11)  # expect-error
    await client.execute_workflow(monthly_report, "2026-11", "2")  # expect-error
    await client.execute_workflow(count, 1)  # expect-error
    await client.start_workflow(monthly_report, "2026-11", id=3)  # expect-error
    await client.start_workflow(monthly_report, "2026-11", id_conflict="ask")  # expect-error
    await client.start_workflow(monthly_report, "2026-11", color="red")  # expect-error
    await handle.signal(3)  # expect-error
    number: int = await handle.result()  # expect-error
    del number


async def worker_side(client: Client) -> None:
    Worker(client, task_queue="reports", workflows=[monthly_report], activities=[count])
    Worker(client, workflows=[3])  # expect-error

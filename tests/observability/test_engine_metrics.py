"""What an engine counts equals what was done with it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sched_sdk import (
    Client,
    RetryPolicy,
    Worker,
    WorkflowContext,
    WorkflowFailedError,
    WorkflowNotFoundError,
    activity,
    activity_context,
    workflow,
)
from sched_server import EngineServer, __version__
from sched_server.core.events import EVENT_TYPES
from tests.observability.scraping import scrape, scrape_until


@activity
async def greet(name: str) -> str:
    return f"Hello, {name}!"


@activity(retry=RetryPolicy(initial_interval=0.01, backoff_coefficient=1, maximum_attempts=15))
async def third_time_lucky() -> None:
    if activity_context().attempt < 13:
        raise ConnectionError("not yet")


@activity(retry=RetryPolicy(maximum_attempts=1))
async def refuse() -> None:
    raise ValueError("no")


@activity(start_to_close=0.05, retry=RetryPolicy(maximum_attempts=1))
async def hang() -> None:
    await asyncio.sleep(60)


@workflow
async def hello(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(greet, name)


@workflow
async def lucky(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(third_time_lucky)


@workflow
async def refused(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(refuse)


@workflow
async def hangs(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(hang)


@workflow
async def naps(ctx: WorkflowContext) -> None:
    await ctx.sleep(0.01)


@workflow
async def waits(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("go")


FLOWS: list[Callable[..., Any]] = [hello, lucky, refused, hangs, naps, waits]
ACTIVITIES: list[Callable[..., Any]] = [greet, third_time_lucky, refuse, hang]


async def test_the_six_of_old_count_what_was_run(engine: EngineServer, client: Client) -> None:
    async with Worker(client, workflows=FLOWS, activities=ACTIVITIES):
        await asyncio.gather(*(client.execute_workflow(hello, f"w{i}") for i in range(5)))
        await client.execute_workflow(lucky)
        for flow in (refused, hangs):
            with pytest.raises(WorkflowFailedError):
                await client.execute_workflow(flow)
        stopped = await client.start_workflow(waits)
        await stopped.terminate()
    seen = await scrape(engine.metrics_url)

    assert seen("sched_workflows_started_total") == 9
    by_status = {"completed": 6, "failed": 2, "terminated": 1, "canceled": 0, "timed_out": 0}
    for status, count in by_status.items():
        assert seen("sched_workflows_completed_total", status=status) == count, status
    # More retries than histories record.
    assert seen("sched_activity_retries_total") == 12
    ended = {"completed": 6, "failed": 13, "timed_out": 1, "canceled": 0}
    for status, count in ended.items():
        assert seen("sched_activities_executed_total", status=status) == count, status
    assert seen("sched_activity_duration_seconds_count") == 20
    assert seen("sched_activity_duration_seconds_bucket", le="0.025") < 20, "one took 50 ms"
    assert seen("sched_activity_duration_seconds_bucket", le="10.0") == 20
    assert seen("sched_task_poll_latency_seconds_count", kind="activity") == 20
    assert seen("sched_task_poll_latency_seconds_count", kind="workflow") >= 16


async def test_transitions_are_those_of_the_histories(engine: EngineServer, client: Client) -> None:
    expected = dict.fromkeys((kind.__name__ for kind in EVENT_TYPES), 0)
    async with Worker(client, workflows=FLOWS, activities=ACTIVITIES):
        for flow, arguments in ((hello, ("w",)), (naps, ()), (lucky, ())):
            handle = await client.start_workflow(flow, *arguments)
            await handle.result()
            async for event in handle.history():
                expected[event.type] += 1
    seen = await scrape(engine.metrics_url)
    found = {name: seen("sched_transitions_total", kind=name) for name in expected}
    assert found == expected
    assert expected["ActivityRetryScheduled"] == 10


async def test_commits_timers_and_frames_are_measured(engine: EngineServer, client: Client) -> None:
    async with Worker(client, workflows=FLOWS, activities=ACTIVITIES):
        await asyncio.gather(*(client.execute_workflow(naps) for _ in range(20)))
    seen = await scrape(engine.metrics_url)
    commits = seen("sched_commit_latency_seconds_count")
    assert 0 < commits == seen("sched_commit_batch_size_count")
    assert seen("sched_commit_latency_seconds_sum") > 0
    # Each run changes at its start, in two tasks and at its timer.
    assert 60 <= seen("sched_commit_batch_size_sum") <= 120
    assert seen("sched_timer_lateness_seconds_count") == 20
    assert 0 < seen("sched_timer_lateness_seconds_sum") < 20
    assert seen("sched_dispatch_latency_seconds_count") > 0
    assert seen("sched_cache_hits_total") > 0
    assert not seen.families["sched_commit_failures"].samples


async def test_workers_and_what_waits_for_them(engine: EngineServer, client: Client) -> None:
    for queue, count in (("ships", 3), ("planes", 1)):
        for _ in range(count):
            await client.start_workflow(waits, task_queue=queue)
    seen = await scrape_until(
        engine.metrics_url,
        lambda s: s.has("sched_task_queue_backlog", task_queue="planes", kind="workflow"),
    )
    assert seen("sched_task_queue_backlog", task_queue="ships", kind="workflow") == 3
    assert seen("sched_task_queue_backlog", task_queue="planes", kind="workflow") == 1
    assert not seen.families["sched_connected_workers"].samples

    async with Worker(
        client,
        task_queue="ships",
        workflows=[waits],
        max_concurrent_workflow_tasks=7,
        max_concurrent_activities=9,
    ) as worker:
        await worker.ready()
        seen = await scrape_until(
            engine.metrics_url,
            lambda s: not s.has("sched_task_queue_backlog", task_queue="ships", kind="workflow"),
        )
        assert seen("sched_connected_workers", task_queue="ships") == 1
        slots = {"workflow": 7, "activity": 9}
        for kind, count in slots.items():
            assert seen("sched_connected_worker_slots", task_queue="ships", kind=kind) == count
        assert seen("sched_cached_runs") == 4
    seen = await scrape_until(
        engine.metrics_url, lambda s: not s.families["sched_connected_workers"].samples
    )
    assert seen("sched_task_queue_backlog", task_queue="planes", kind="workflow") == 1


async def test_a_running_activity_takes_a_slot(engine: EngineServer, client: Client) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    @activity
    async def hold() -> None:
        entered.set()
        await go_on.wait()

    @workflow
    async def holds(ctx: WorkflowContext) -> None:
        await ctx.queue_activity(hold)

    async with Worker(client, workflows=[holds], activities=[hold]):
        handle = await client.start_workflow(holds)
        await asyncio.wait_for(entered.wait(), 10)
        used = {"task_queue": "default", "kind": "activity"}
        assert (await scrape(engine.metrics_url))("sched_connected_worker_slots_used", **used) == 1
        go_on.set()
        await handle.result()


async def test_refusals_are_counted_by_reason(engine: EngineServer, client: Client) -> None:
    for _ in range(2):
        with pytest.raises(WorkflowNotFoundError):
            await client.workflow("nobody").describe()
    seen = await scrape(engine.metrics_url)
    assert seen("sched_errors_total", reason="workflow_not_found") == 2


async def test_failed_workflow_tasks_are_counted_by_cause(
    engine: EngineServer, client: Client
) -> None:
    async with Worker(client, workflows=[naps_then_waits]):
        handle = await client.start_workflow(naps_then_waits)
        await scrape_until(
            engine.metrics_url, lambda s: s("sched_transitions_total", kind="TimerFired") == 1
        )
    async with Worker(client, workflows=[napless]):
        await handle.signal("go")
        await scrape_until(
            engine.metrics_url,
            lambda s: s("sched_workflow_task_failures_total", cause="non_determinism") >= 1,
        )


@workflow(name="NapsThenWaits")
async def naps_then_waits(ctx: WorkflowContext) -> None:
    await ctx.sleep(0.01)
    await ctx.wait_for_signal("go")


@workflow(name="NapsThenWaits")
async def napless(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("go")


async def test_who_leads(engine: EngineServer) -> None:
    seen = await scrape(engine.metrics_url)
    assert seen("sched_leader") == 1
    assert seen("sched_epoch") == engine.engine.group.epoch > 0
    assert seen("sched_failovers_total") == 0
    assert seen("sched_queue_connected") == 1
    assert seen("sched_build_info", version=__version__) == 1


async def test_two_engines_of_one_process_count_for_themselves(
    engine: EngineServer, client: Client
) -> None:
    other = EngineServer(engine.settings)
    await other.start()
    try:
        await client.start_workflow(waits)
        assert (await scrape(engine.metrics_url))("sched_workflows_started_total") == 1
        assert (await scrape(other.metrics_url))("sched_workflows_started_total") == 0
    finally:
        await other.stop(0)


_UNWATCHED = """
import asyncio, sys
from sched_server import EngineServer, EngineSettings

async def main():
    server = EngineServer(EngineSettings(db=":memory:", port=0, metrics_port=0))
    await server.start()
    await server.stop(0)

asyncio.run(main())
sys.exit("prometheus_client" in sys.modules)
"""


def test_an_engine_that_nobody_watches_does_not_load_the_library() -> None:
    subprocess.run([sys.executable, "-c", _UNWATCHED], check=True, timeout=30)

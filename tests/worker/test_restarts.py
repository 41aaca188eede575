"""What happens to a worker and a client when the engine goes and comes back,
and to the work when a worker stops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sched_sdk import Client, Worker, WorkflowContext, activity, activity_context, workflow
from tests.worker.restarting import RestartingEngine

entered: asyncio.Event
go_on: asyncio.Event
attempts: list[int] = []


@pytest.fixture(autouse=True)
async def _events() -> None:
    global entered, go_on
    entered, go_on = asyncio.Event(), asyncio.Event()
    attempts.clear()


async def within(event: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await event.wait()


@activity
async def waits(name: str) -> str:
    attempts.append(activity_context().attempt)
    entered.set()
    await go_on.wait()
    return name


async def step(name: str) -> str:
    attempts.append(1)
    entered.set()
    await go_on.wait()
    return name


@workflow
async def one_activity(ctx: WorkflowContext) -> str:
    return await ctx.queue_activity(waits, "done")


@workflow
async def one_step(ctx: WorkflowContext) -> str:
    return await ctx.step(step, "done")


@pytest.fixture
async def restarting(tmp_path: Path) -> AsyncIterator[RestartingEngine]:
    engine = RestartingEngine(tmp_path / "sched.db")
    await engine.start()
    yield engine
    await engine.stop()


async def test_a_running_activity_survives_a_restart_of_the_engine(
    restarting: RestartingEngine,
) -> None:
    async with (
        await Client.connect(restarting.address) as client,
        Worker(client, workflows=[one_activity], activities=[waits]),
    ):
        handle = await client.start_workflow(one_activity)
        await within(entered)
        await restarting.stop()
        await restarting.start()
        go_on.set()
        assert await handle.result(timeout=60) == "done"
    assert attempts == [1]


async def test_a_result_made_while_the_engine_was_gone_is_reported(
    restarting: RestartingEngine,
) -> None:
    async with (
        await Client.connect(restarting.address) as client,
        Worker(client, workflows=[one_activity], activities=[waits]),
    ):
        handle = await client.start_workflow(one_activity)
        await within(entered)
        await restarting.stop()
        go_on.set()
        await restarting.start()
        assert await handle.result(timeout=60) == "done"
    assert attempts == [1]


async def test_a_step_that_ends_while_the_engine_is_gone(restarting: RestartingEngine) -> None:
    async with (
        await Client.connect(restarting.address) as client,
        Worker(client, workflows=[one_step]),
    ):
        handle = await client.start_workflow(one_step)
        await within(entered)
        await restarting.stop()
        go_on.set()
        await restarting.start()
        assert await handle.result(timeout=60) == "done"


@workflow
async def ping_pong(ctx: WorkflowContext, rounds: int) -> int:
    for number in range(rounds):
        await ctx.queue_activity(pong, number)
        await ctx.step(abs, -number)
    return rounds


@activity
async def pong(number: int) -> int:
    return number


async def test_restarts_under_load(restarting: RestartingEngine) -> None:
    async with (
        await Client.connect(restarting.address) as client,
        Worker(client, workflows=[ping_pong], activities=[pong]),
    ):
        results = asyncio.gather(*(client.execute_workflow(ping_pong, 10) for _ in range(50)))
        for _ in range(3):
            async with asyncio.timeout(10):
                while not (await client.count_workflows()).total:
                    pass
            await restarting.stop()
            await restarting.start()
        assert await results == [10] * 50


async def test_a_worker_may_start_before_the_engine(tmp_path: Path) -> None:
    engine = RestartingEngine(tmp_path / "sched.db")
    await engine.start()
    address = engine.address
    await engine.stop()
    ready = 0

    def on_ready() -> None:
        nonlocal ready
        ready += 1

    async with Worker(address, activities=[waits], on_ready=on_ready) as worker:
        await engine.start()
        async with asyncio.timeout(10):
            await worker.ready()
    assert ready == 1
    await engine.stop()


async def test_an_idle_worker_stops_at_once(client: Client) -> None:
    async with asyncio.timeout(20):
        async with Worker(client, activities=[waits], graceful_shutdown=60) as worker:
            await worker.ready()


async def test_stop_lets_activities_finish(client: Client) -> None:
    async with Worker(client, workflows=[one_activity]):
        async with Worker(client, activities=[waits]) as worker:
            handle = await client.start_workflow(one_activity)
            await within(entered)
            stopping = asyncio.create_task(worker.stop())
            status = await client.cluster_status()
            while not any(entry.draining for entry in status.workers):
                status = await client.cluster_status()
            assert not stopping.done()
            go_on.set()
            await stopping
        assert await handle.result(timeout=60) == "done"
    assert attempts == [1]


async def test_what_does_not_finish_goes_to_another_worker(client: Client) -> None:
    async with Worker(client, workflows=[one_activity]):
        async with Worker(client, activities=[waits], graceful_shutdown=0.05):
            handle = await client.start_workflow(one_activity)
            await within(entered)
        go_on.set()
        async with Worker(client, activities=[waits]):
            assert await handle.result(timeout=60) == "done"
    assert attempts == [1, 1]  # handing back uses up no attempt


async def test_a_step_that_does_not_finish_runs_in_another_worker(client: Client) -> None:
    async with Worker(client, workflows=[one_step], graceful_shutdown=0.05):
        handle = await client.start_workflow(one_step)
        await within(entered)
    go_on.set()
    async with Worker(client, workflows=[one_step]):
        assert await handle.result(timeout=60) == "done"


thread_entered = threading.Event()
thread_release = threading.Event()


@activity
def stuck(_: str) -> None:
    thread_entered.set()
    thread_release.wait()


@workflow
async def one_stuck(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(stuck, "")


async def test_a_stuck_thread_does_not_hold_up_a_stop(client: Client) -> None:
    thread_entered.clear()
    thread_release.clear()
    async with (
        asyncio.timeout(20),
        Worker(client, workflows=[one_stuck], activities=[stuck], graceful_shutdown=0.05),
    ):
        await client.start_workflow(one_stuck)
        assert await asyncio.to_thread(thread_entered.wait, 10)
    thread_release.set()


async def test_cancelling_run_hands_everything_back(client: Client) -> None:
    worker = Worker(client, workflows=[one_activity], activities=[waits])
    running = asyncio.create_task(worker.run())
    handle = await client.start_workflow(one_activity)
    await within(entered)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    go_on.set()
    async with Worker(client, workflows=[one_activity], activities=[waits]):
        assert await handle.result(timeout=60) == "done"


async def test_many_steps_are_left_at_a_segment_boundary(client: Client) -> None:
    async with Worker(client, workflows=[counts_steps]):
        handle = await client.start_workflow(counts_steps, 3000)
        await within(entered)
    described = await handle.describe()
    assert described.info.history_length < 6000
    async with Worker(client, workflows=[counts_steps]):
        assert await handle.result(timeout=30) == 3000


async def note_first(number: int) -> int:
    entered.set()
    return number


@workflow
async def counts_steps(ctx: WorkflowContext, count: int) -> int:
    for number in range(count):
        await ctx.step(note_first, number)
    return count


async def test_an_idle_worker_without_an_engine_stops_at_once(
    restarting: RestartingEngine,
) -> None:
    async with asyncio.timeout(20):
        async with Worker(restarting.address, activities=[waits], graceful_shutdown=60) as worker:
            await worker.ready()
            await restarting.stop()


async def test_waiting_for_an_engine_that_never_comes_can_be_given_up() -> None:
    worker = Worker("127.0.0.1:1", activities=[waits])
    with pytest.raises(TimeoutError):
        async with worker, asyncio.timeout(0.2):
            await worker.ready()

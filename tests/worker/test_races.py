"""What comes in an unlucky order, or all at once."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict

import pytest

from sched_sdk import Client, Worker, WorkflowContext, activity, activity_context, workflow
from sched_sdk._client import WorkflowHandle
from sched_sdk.errors import SchedError
from sched_server import EngineServer
from tests.worker.waiting import until

# --- signals that race the end ----------------------------------------------------------


handled: dict[str, list[int]] = {}


@workflow
async def collects(ctx: WorkflowContext) -> int:
    """Ends after the first signals that it sees."""
    received = handled[ctx.info.workflow_id] = []

    @ctx.on_signal("item")
    def _(number: int) -> None:
        received.append(number)

    await ctx.wait_for(lambda: bool(received))
    return received[0]


async def send_until_refused(handle: WorkflowHandle[int]) -> list[int]:
    accepted: list[int] = []
    while True:
        try:
            await handle.signal("item", len(accepted))
        except SchedError:
            return accepted
        accepted.append(len(accepted))


async def test_a_signal_that_is_accepted_is_seen_however_close_the_end(client: Client) -> None:
    async with Worker(client, workflows=[collects]):
        handles = [await client.start_workflow(collects) for _ in range(30)]
        async with asyncio.timeout(20):
            accepted = await asyncio.gather(*(send_until_refused(each) for each in handles))
            assert await asyncio.gather(*(each.result() for each in handles)) == [0] * 30
    for handle, items in zip(handles, accepted, strict=True):
        assert handled[handle.id] == items
        kinds = [event.type async for event in handle.history()]
        assert kinds.count("SignalReceived") == len(items)
        assert kinds[-1] == "WorkflowCompleted"


async def test_a_signal_behind_the_end_is_refused(client: Client) -> None:
    async with Worker(client, workflows=[collects]):
        handle = await client.start_workflow(collects)
        await handle.signal("item", 0)
        assert await handle.result(timeout=60) == 0
        with pytest.raises(SchedError):
            await handle.signal("item", 1)


# --- gather out of order ----------------------------------------------------------------

COUNT = 8
answered: defaultdict[str, list[int]] = defaultdict(list)


@activity
async def in_reverse(number: int) -> int:
    """The last one ends first."""
    mine = answered[activity_context().info.workflow_id]
    await until(lambda: len(mine) == COUNT - 1 - number)
    mine.append(number)
    return number


@workflow
async def gathers(ctx: WorkflowContext) -> list[list[int]]:
    order: list[int] = []

    async def one(number: int) -> int:
        result = await ctx.queue_activity(in_reverse, number)
        order.append(result)
        await ctx.step(abs, -number)
        return result

    results = await asyncio.gather(*(one(number) for number in range(COUNT)))
    return [results, order]


@pytest.mark.parametrize("cached", [100, 1])
async def test_gather_keeps_its_order_and_replays_theirs(client: Client, cached: int) -> None:
    """With room for one run in memory, both are replayed nearly every time."""
    serving = Worker(
        client, workflows=[gathers], activities=[in_reverse], max_cached_workflows=cached
    )
    async with serving, asyncio.timeout(20):
        both = await asyncio.gather(*(client.execute_workflow(gathers) for _ in range(2)))
    forwards = list(range(COUNT))
    assert both == [[forwards, forwards[::-1]]] * 2


# --- a loop of steps --------------------------------------------------------------------

calls: list[int] = []


def count_call(number: int) -> int:
    calls.append(number)
    return number


@workflow
async def loops(ctx: WorkflowContext, rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += await ctx.step(count_call, number)
    await ctx.wait_for_signal("go")
    for number in range(rounds, 2 * rounds):
        total += await ctx.step(count_call, number)
    return total


async def test_a_loop_of_steps_runs_each_once_also_in_another_worker(client: Client) -> None:
    calls.clear()
    async with Worker(client, workflows=[loops]):
        handle = await client.start_workflow(loops, 25)
        await until(lambda: len(calls) == 25)
    async with Worker(client, workflows=[loops]):
        await handle.signal("go")
        assert await handle.result(timeout=60) == sum(range(50))
    assert calls == list(range(50))


# --- killing many -----------------------------------------------------------------------


@workflow
async def waits(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("never")


async def test_many_are_terminated_at_once(client: Client, engine: EngineServer) -> None:
    """The rest goes on meanwhile, and nothing of them stays in memory or in tasks."""
    many = 1000
    async with Worker(client, workflows=[waits, loops]) as worker:
        await worker.ready()
        victims = await asyncio.gather(*(client.start_workflow(waits) for _ in range(many)))
        handle = await client.start_workflow(loops, 3)
        async with asyncio.timeout(20):
            ends = asyncio.gather(*(victim.terminate(reason="all of them") for victim in victims))
            await handle.signal("go")
            assert await handle.result() == sum(range(6))
            await ends
        counts = await client.count_workflows()
        assert (counts.total, counts.by_status) == (
            many + 1,
            {"TERMINATED": many, "COMPLETED": 1},
        )
        status = await client.cluster_status()
        assert status.open_workflows == 0
        assert all(queue.pending_workflow_tasks == 0 for queue in status.task_queues)


# --- cancellation and threads -----------------------------------------------------------

THREADS = 4
inside = threading.Semaphore(0)
release = threading.Event()
together = threading.Barrier(THREADS)


@activity
def stoppable(_: int) -> None:
    inside.release()
    while not activity_context().cancelled:
        if release.wait(0.005):
            return


@activity
def needs_all_threads(_: int) -> str:
    together.wait(10)
    return threading.current_thread().name


@workflow
async def cancels(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(stoppable, 0)


@workflow
async def uses_all(ctx: WorkflowContext, threads: int) -> list[str]:
    handles = [ctx.queue_activity(needs_all_threads, number) for number in range(threads)]
    return list(await asyncio.gather(*handles))


async def test_cancellation_kills_no_thread_busy_or_idle(client: Client) -> None:
    """Some are cancelled while they run, some as they end by themselves: the
    cancellation then meets a thread that is idle, or does something else."""
    async with Worker(
        client,
        workflows=[cancels, uses_all],
        activities=[stoppable, needs_all_threads],
        max_concurrent_activities=THREADS,
    ):
        for by_itself in (False, True, False, True):
            release.clear()
            handles = [await client.start_workflow(cancels) for _ in range(THREADS)]
            for _ in handles:
                assert await asyncio.to_thread(inside.acquire, timeout=10)
            if by_itself:
                release.set()
            await asyncio.gather(*(handle.cancel() for handle in handles), return_exceptions=True)
            async with asyncio.timeout(10):
                await asyncio.gather(
                    *(handle.result() for handle in handles), return_exceptions=True
                )
        names = await client.execute_workflow(uses_all, THREADS)
        assert len(set(names)) == THREADS, "every thread still works"

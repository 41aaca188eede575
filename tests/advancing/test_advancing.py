"""Moving the clock of a dev server: what waits for days happens now, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sched_sdk import (
    Client,
    RetryPolicy,
    Worker,
    WorkflowContext,
    activity,
    activity_context,
    workflow,
)
from sched_sdk._client.cluster import advance_time, ask_status
from sched_sdk._client.models import TimeAdvance
from sched_sdk.errors import InvalidArgumentError, WorkflowFailedError
from sched_server import EngineServer
from tests.engine.harness import until
from tests.servers.engine import engine_here

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)

woken: list[str] = []
gates: list[asyncio.Event] = []
"""The last one is that of the test that runs."""


@workflow(name="Sleeps")
async def sleeps(ctx: WorkflowContext, seconds: float) -> str:
    before = ctx.now()
    await ctx.sleep(seconds)
    return str(ctx.now() - before)


@activity(retry=RetryPolicy(initial_interval=3_600, maximum_interval=86_400, maximum_attempts=5))
async def fails_thrice() -> int:
    if activity_context().attempt < 4:
        raise ConnectionError("no route")
    return activity_context().attempt


@workflow(name="Retries")
async def retries(ctx: WorkflowContext) -> int:
    return await ctx.queue_activity(fails_thrice)


@activity
async def note(name: str) -> None:
    woken.append(name)


@workflow(name="Notes")
async def notes(ctx: WorkflowContext, name: str, seconds: float, rounds: int) -> None:
    for number in range(rounds):
        await ctx.sleep(seconds)
        await ctx.queue_activity(note, f"{name}{number}")


@activity
async def waits_for_the_gate() -> None:
    await gates[-1].wait()


@workflow(name="Works")
async def works(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(waits_for_the_gate)
    await ctx.sleep(60)


@pytest.fixture
async def gate() -> asyncio.Event:
    """Closed: what waits for it goes on waiting."""
    gates.append(asyncio.Event())
    return gates[-1]


def engine(**settings: Any) -> AbstractAsyncContextManager[EngineServer]:
    return engine_here(**{"movable_clock": True} | settings)


@asynccontextmanager
async def serving(server: EngineServer) -> AsyncIterator[Client]:
    async with (
        await Client.connect(server.address) as client,
        Worker(
            client,
            workflows=[sleeps, retries, notes, works],
            activities=[fails_thrice, note, waits_for_the_gate],
        ),
    ):
        yield client


async def advance(
    server: EngineServer, by: timedelta, patience: timedelta = timedelta(0)
) -> TimeAdvance:
    told = [each async for each in advance_time(server.address, by, patience=patience)]
    return told[-1]


async def test_a_month_of_sleep() -> None:
    async with engine() as server, serving(server) as client:
        handle = await client.start_workflow(sleeps, (30 * DAY).total_seconds(), id="month")
        moved = await advance(server, 30 * DAY + HOUR)
        assert (await handle.result(timeout=60)).startswith("30 days, 0:00:0")
        assert (moved.advanced, moved.timers_fired) == (30 * DAY + HOUR, 1)
        assert (moved.workflows_touched, moved.workflow_ids) == (1, ("month",))
        times = {event.type: event.time async for event in handle.history()}
        slept = times["TimerFired"] - times["TimerScheduled"]
        assert timedelta(0) <= slept - 30 * DAY < timedelta(seconds=5)


async def test_too_short_a_move_fires_nothing() -> None:
    async with engine() as server, serving(server) as client:
        handle = await client.start_workflow(sleeps, DAY.total_seconds())
        moved = await advance(server, DAY - HOUR)
        status = await ask_status(server.address, timeout=10)
        (worker,) = status.workers
        for seen in (worker.connected_time, worker.last_heard_time):
            assert seen is not None
            assert status.clock.cluster_time is not None
            assert status.clock.cluster_time - seen < HOUR  # no worker was silent for a day
        assert (moved.timers_fired, moved.advanced) == (0, DAY - HOUR)
        assert not (await handle.describe()).status.closed
        assert (await advance(server, HOUR)).timers_fired == 1
        await handle.result(timeout=60)


async def test_retries_with_their_backoff() -> None:
    async with engine() as server, serving(server) as client:
        handle = await client.start_workflow(retries)
        # One hour, two, four.
        first = await advance(server, 2 * HOUR)
        assert first.timers_fired == 1
        assert (await handle.describe()).activities[0].attempt == 3
        assert (await advance(server, 5 * HOUR)).timers_fired == 2
        assert await handle.result(timeout=60) == 4


async def test_time_limits_of_workflows() -> None:
    async with engine() as server, serving(server) as client:
        late = await client.start_workflow(
            sleeps, (3 * DAY).total_seconds(), execution_timeout=2 * DAY
        )
        delayed = await client.start_workflow(sleeps, 60.0, start_delay=DAY)
        await advance(server, 2 * DAY + HOUR)
        with pytest.raises(WorkflowFailedError) as raised:
            await late.result(timeout=60)
        assert raised.value.status == "TIMED_OUT"
        await delayed.result(timeout=60)


async def test_many_timers_fire_in_their_order_with_all_that_follows() -> None:
    woken.clear()
    async with engine() as server, serving(server) as client:
        for name, hours in (("b", 5), ("a", 3), ("c", 7)):
            await client.start_workflow(notes, name, hours * 3_600.0, 4)
        moved = await advance(server, 2 * DAY)
        # Every activity is over before the next time is due, so their order is that of time.
        due = sorted(
            (hours * (n + 1), f"{name}{n}")
            for name, hours in (("b", 5), ("a", 3), ("c", 7))
            for n in range(4)
        )
        assert woken == [name for _, name in due]
        assert (moved.timers_fired, moved.workflows_touched) == (12, 3)


async def test_the_clock_stays_ahead_when_the_server_is_started_again(tmp_path: Path) -> None:
    db = tmp_path / "dev.db"
    async with engine(db=db) as server:
        async with await Client.connect(server.address) as client:
            before = client.cluster_time()
            handle = await client.start_workflow(sleeps, (7 * DAY).total_seconds(), id="week")
        async with serving(server):
            await advance(server, 4 * DAY)
    async with engine(db=db) as server:
        clock = (await ask_status(server.address, timeout=5)).clock
        assert clock.advanced == 4 * DAY
        async with serving(server) as client:
            assert client.cluster_time() - before >= 4 * DAY
            handle = client.workflow("week")
            moved = await advance(server, 3 * DAY)
            assert moved.workflow_ids == ("week",)
            await handle.result(timeout=60)
            times = [event.time async for event in handle.history()]
            assert times == sorted(times)
    async with engine(db=db) as server:
        assert (await ask_status(server.address, timeout=5)).clock.advanced == 7 * DAY


async def test_time_does_not_move_past_work(gate: asyncio.Event) -> None:
    async with engine() as server, serving(server) as client:
        handle = await client.start_workflow(works, id="busy")
        stopped = await advance(server, DAY, timedelta(milliseconds=50))
        assert "activity waits_for_the_gate of busy runs on" in stopped.stopped_by
        assert stopped.advanced == timedelta(0)
        moving = asyncio.ensure_future(advance(server, DAY))
        await asyncio.sleep(0)
        gate.set()
        moved = await moving
        assert (moved.stopped_by, moved.timers_fired) == ("", 1)
        await handle.result(timeout=60)


async def test_without_workers_time_passes_all_the_same() -> None:
    async with engine() as server, await Client.connect(server.address) as client:
        await client.start_workflow("Sleeps", 60.0)
        assert (await advance(server, DAY)).advanced == DAY


async def test_one_at_a_time_and_only_ahead(gate: asyncio.Event) -> None:
    async with engine() as server, serving(server) as client:
        await client.start_workflow(works)
        first = asyncio.ensure_future(advance(server, DAY))
        await until(lambda: server.engine.group.on_fired is not None)
        with pytest.raises(InvalidArgumentError, match="somebody else moves the clock"):
            await advance(server, DAY)
        gate.set()
        assert (await first).advanced == DAY
        with pytest.raises(InvalidArgumentError, match="time does not go back"):
            await advance(server, -DAY)


async def test_giving_up_leaves_time_where_it_is(gate: asyncio.Event) -> None:
    async with engine() as server, serving(server) as client:
        await client.start_workflow(works)
        first = asyncio.ensure_future(advance(server, DAY))
        await until(lambda: server.engine.group.on_fired is not None)
        first.cancel()
        await until(lambda: server.engine.group.on_fired is None)
        gate.set()
        assert (await advance(server, HOUR)).advanced == HOUR
        assert (await ask_status(server.address, timeout=5)).clock.advanced == HOUR


async def test_only_a_dev_servers_clock_can_be_moved() -> None:
    async with engine(movable_clock=False) as server:
        with pytest.raises(InvalidArgumentError, match="only a dev server's can"):
            await advance(server, DAY)

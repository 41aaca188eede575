"""The code whose histories are recorded here, a function for each feature."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sched_sdk import ActivityError, ApplicationError, RetryPolicy, WorkflowContext, workflow
from tests.replay.golden.v0_1_0 import activities as do

# So long that a worker does not wait itself: a timer of the engine does.
LATE_S = 6


@workflow(name="Activities")
async def activities(ctx: WorkflowContext, number: str) -> list[Any]:
    """In order, together, tried again, failed, out of time, by name, cancelled."""
    done: list[Any] = [await ctx.queue_activity(do.charge, number, 250)]
    done += await asyncio.gather(
        ctx.queue_activity(do.ship, number), ctx.queue_activity(do.unsteady, number)
    )
    for queue in (do.refuse, do.slow):
        try:
            await ctx.queue_activity(queue, number)
        except ActivityError as error:
            done.append(type(error.__cause__).__name__)
    done.append(await ctx.queue_activity("ship", number, result_type=dict[str, int]))
    handle = ctx.queue_activity(do.endless, number)
    await ctx.sleep(0.05)
    handle.cancel()
    try:
        done.append(await handle)
    except asyncio.CancelledError:
        done.append("cancelled")
    return done


@workflow(name="Steps")
async def steps(ctx: WorkflowContext, number: str) -> list[Any]:
    """Plain, by name, tried again at once and after a timer, failed, together."""
    retry = RetryPolicy(initial_interval=0.01)
    late = RetryPolicy(initial_interval=LATE_S, maximum_interval=LATE_S)
    done: list[Any] = [await ctx.step(do.draw, number)]
    done.append(await ctx.step(do.draw, number, name="again"))
    done.append(await ctx.step(do.stumble, number, retry=retry))
    done.append(await ctx.step(do.stumble, f"{number} late", retry=late))
    try:
        await ctx.step(do.fall, number)
    except ApplicationError as error:
        done.append(error.type)
    done += await asyncio.gather(*(ctx.step(do.draw, "x" * count) for count in range(5)))
    return done


@workflow(name="DeferredStep")
async def deferred_step(ctx: WorkflowContext, number: str) -> str:
    """Wants to close with a step's result while a signal is there that it has not seen."""
    seen: list[str] = []

    @ctx.on_signal("late")
    def late(word: str) -> None:
        seen.append(word)

    held = await ctx.step(do.hold, number)
    return f"{held} {seen}"


@workflow(name="Loop")
async def loop(ctx: WorkflowContext, count: int) -> int:
    """So many steps one after the other, with activities in between."""
    total = 0
    for index in range(count):
        total += await ctx.step(do.draw, "x" * index)
        if index % 10 == 0:
            await ctx.queue_activity(do.charge, str(index), index)
    return total


@workflow(name="Timers")
async def timers(ctx: WorkflowContext) -> list[str]:
    """Slept, out of time, in time, cancelled, several at once."""
    done: list[str] = []
    await ctx.sleep(0.01)
    await ctx.sleep(timedelta(milliseconds=20))
    await ctx.sleep(0)
    try:
        await ctx.wait_for(lambda: False, timeout=0.01)
    except TimeoutError:
        done.append("waited")
    try:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    except TimeoutError:
        done.append("timed out")
    async with asyncio.timeout(60):
        await asyncio.sleep(0.01)
    sleeper = asyncio.ensure_future(ctx.sleep(3600))
    await asyncio.sleep(0.01)
    sleeper.cancel()
    await asyncio.wait([sleeper])
    return [*done, *[each async for each in _in_order(0.03, 0.01, 0.02)]]


async def _in_order(*delays: float) -> Any:
    async def after(delay: float) -> str:
        await asyncio.sleep(delay)
        return str(delay)

    for task in asyncio.as_completed([after(delay) for delay in delays]):
        yield await task


@workflow(name="Signals")
async def signals(ctx: WorkflowContext) -> list[Any]:
    """Handlers, a predicate, by name, of any name, typed, too late."""
    got: list[Any] = []

    @ctx.on_signal("add")
    def add(word: str, count: int = 1) -> None:
        got.append([word, count])

    @ctx.on_signal("work")
    async def work(number: str) -> None:
        got.append(await ctx.queue_activity(do.charge, number, 1))

    await ctx.wait_for(lambda: len(got) >= 3, timeout=60)
    got.append((await ctx.wait_for_signal("named", type=int)).payload)
    anything = await ctx.wait_for_signal()
    got.append([anything.name, list(anything.args)])
    try:
        await ctx.wait_for_signal("never", timeout=0.01)
    except TimeoutError:
        got.append("too late")
    got.append((await asyncio.wait_for(ctx.wait_for_signal("last"), 60)).payload)
    return got


@workflow(name="Canceled")
async def canceled(ctx: WorkflowContext, where: str) -> str:
    """Asked to stop while it sleeps, in an activity, with a clean-up, before it began."""
    hotel = await ctx.queue_activity(do.charge, where, 1)
    try:
        if where == "activity":
            await ctx.queue_activity(do.endless, where)
        elif where == "shield":
            await asyncio.shield(_clean_up(ctx, hotel))
        await ctx.wait_for_signal("never")
    except asyncio.CancelledError:
        await _clean_up(ctx, hotel)
        if where == "returns":
            return hotel
        if where == "fails":
            raise ApplicationError("no way back", type="Stuck") from None
        raise
    return hotel


async def _clean_up(ctx: WorkflowContext, hotel: str) -> None:
    await ctx.sleep(0.02)
    await ctx.queue_activity(do.ship, hotel)


@workflow(name="Together")
async def together(ctx: WorkflowContext, number: str) -> list[Any]:
    """gather, TaskGroup that fails, shield, wait, a queue, a lock, child tasks."""
    done: list[Any] = []
    results = await asyncio.gather(
        ctx.queue_activity(do.refuse, number), ctx.sleep(0.01), return_exceptions=True
    )
    done.append([type(result).__name__ for result in results])
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.sleep(3600))
            group.create_task(_refused(ctx, number))
    except* ActivityError as errors:
        done.append(len(errors.exceptions))
    inner = ctx.queue_activity(do.ship, number)
    outer = asyncio.shield(inner)
    outer.cancel()
    done.append(await inner)
    tasks = [asyncio.ensure_future(ctx.sleep(delay)) for delay in (0.01, 60)]
    finished, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    done.append([len(finished), len(pending)])
    for task in pending:
        task.cancel()
    queue: asyncio.Queue[int] = asyncio.Queue()
    lock = asyncio.Lock()

    async def produce(first: int) -> None:
        for value in range(first, first + 3):
            async with lock:
                await ctx.sleep(0.001)
            queue.put_nowait(value)

    producers = [asyncio.create_task(produce(first)) for first in (0, 10)]
    done.append([await queue.get() for _ in range(6)])
    await asyncio.gather(*producers)
    return done


async def _refused(ctx: WorkflowContext, number: str) -> None:
    await ctx.queue_activity(do.refuse, number)


@workflow(name="Payloads")
async def payloads(ctx: WorkflowContext, item: do.Item, raw: bytes) -> do.Item:
    """Typed values, raw bytes, chance, ids and the time of the workflow."""
    priced = await ctx.queue_activity(do.price, item)
    priced.tags.append(str(ctx.uuid4()))
    priced.tags.append(str(ctx.random.randint(1, 1_000_000)))
    priced.tags.append(ctx.now().isoformat())
    priced.tags.append(f"{ctx.info.workflow_id} {ctx.info.workflow_type}")
    ctx.set_details("nearly done")
    await ctx.queue_activity(do.echo, raw)
    return await ctx.queue_activity(do.price, priced)


@workflow(name="Patched")
async def patched(ctx: WorkflowContext, number: str) -> str:
    """A change to running workflows: `before.Patched` is what it was."""
    await ctx.queue_activity(do.charge, number, 1)
    if ctx.patched("parcels"):
        await ctx.queue_activity(do.ship, number)
    await ctx.wait_for_signal("go")
    if ctx.patched("farewell"):
        await ctx.step(do.draw, number, name="farewell")
    return number


@workflow(name="Deprecated")
async def deprecated(ctx: WorkflowContext, number: str) -> str:
    """`patched` is no longer asked: all runs take the new path."""
    ctx.deprecate_patch("parcels")
    await ctx.queue_activity(do.ship, number)
    return number


@workflow(name="Fails")
async def fails(ctx: WorkflowContext, number: str) -> None:
    """An error with details and a cause, after work that nobody awaits."""
    ctx.queue_activity(do.ship, number)
    try:
        await ctx.queue_activity(do.refuse, number)
    except ActivityError as error:
        raise ApplicationError("the order is off", type="Off", details=[number]) from error


@workflow(name="GoesOn")
async def goes_on(ctx: WorkflowContext, number: str) -> list[Any]:
    """Is reset and forked, with pending work and signals."""
    done: list[Any] = [await ctx.queue_activity(do.charge, number, 1)]
    done.append(await ctx.step(do.draw, number))
    done.append((await ctx.wait_for_signal("one")).payload)
    await ctx.sleep(0.01)
    done.append((await ctx.wait_for_signal("two")).payload)
    return done


WORKFLOWS = [
    activities,
    steps,
    deferred_step,
    loop,
    timers,
    signals,
    canceled,
    together,
    payloads,
    patched,
    deprecated,
    fails,
    goes_on,
]

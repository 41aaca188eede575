"""asyncio's own tools, durable and in the same order every time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from sched_sdk import WorkflowContext, activity, workflow
from tests.replay.engine import SECOND, Engine, Worker, assert_replays, run_to_end


@activity
async def work(number: int) -> int:
    return number


def echo(name: str, args: Any) -> Any:
    return args[0] if args else None


def durations(engine: Engine) -> list[float]:
    timers = [e.timer_scheduled for e in engine.history if e.HasField("timer_scheduled")]
    return [timer.duration_us / SECOND for timer in timers]


def test_sleep_is_a_durable_timer() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(2)
        await ctx.sleep(0.5)
        return loop.time() - began

    engine = run_to_end(flow)
    assert durations(engine) == [2, 0.5]
    assert 2.5 <= engine.result() < 2.6


def test_sleep_zero_and_call_soon_stay_local() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        seen: list[str] = []
        asyncio.get_running_loop().call_soon(seen.append, "soon")
        asyncio.get_running_loop().call_later(0, seen.append, "later")
        await asyncio.sleep(0)
        await ctx.sleep(0)
        return seen

    engine = run_to_end(flow)
    assert engine.result() == ["soon", "later"]
    assert engine.names() == ["workflow_started", "workflow_task_completed", "workflow_completed"]


def test_timer_set_and_cancelled_at_once_leaves_no_trace() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> int:
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(9, print).cancel()
        return await ctx.queue_activity(work, 1)

    engine = run_to_end(flow, activities=echo)
    assert durations(engine) == []
    assert engine.history[2].activity_scheduled.seq == 1


def test_call_at_and_cancel() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        loop.call_at(loop.time() + 3, seen.append, "at")
        dropped = loop.call_later(4, seen.append, "never")
        await asyncio.sleep(1)
        dropped.cancel()
        assert dropped.cancelled()
        await asyncio.sleep(5)
        return seen

    engine = run_to_end(flow)
    assert engine.result() == ["at"]
    assert durations(engine) == [3, 4, 1, 5]
    assert engine.names().count("timer_canceled") == 1


def test_firing_that_meets_its_cancellation_is_ignored() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        timer = asyncio.get_running_loop().call_later(1, print)
        await ctx.wait_for_signal()
        timer.cancel()
        await ctx.wait_for_signal()
        return "quiet"

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    engine.signal("first")
    worker._while_out = lambda: engine.fire_timer(1) if engine.timers else None
    worker.work()
    canceled = next(e for e in engine.history if e.HasField("timer_canceled"))
    assert canceled.timer_canceled.moot
    engine.signal("second")
    worker.work()
    assert engine.result() == "quiet"
    assert_replays(flow, engine)
    worker.forget()


def test_timeout_and_wait_for() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        said = []
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(10)
        except TimeoutError:
            said.append("timeout")
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 2)
        except TimeoutError:
            said.append("wait_for")
        said.append(await asyncio.wait_for(asyncio.sleep(1, "in time"), 5))
        return said

    engine = run_to_end(flow)
    assert engine.result() == ["timeout", "wait_for", "in time"]


def test_wait_first_completed() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        handles = [ctx.queue_activity(work, n) for n in range(3)]
        done, pending = await asyncio.wait(handles, return_when=asyncio.FIRST_COMPLETED)
        first = [await handle for handle in done]
        done, pending = await asyncio.wait(pending)
        return [first, len(pending), sorted([await handle for handle in done])]

    engine = run_to_end(flow, activities=echo)
    assert engine.result() == [[0], 0, [1, 2]]


def test_sets_of_futures_are_in_the_order_of_making() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[int]:
        handles = [ctx.queue_activity(work, n) for n in range(40)]
        gathered = asyncio.gather(*handles)
        tasks = {asyncio.create_task(asyncio.sleep(0, n)) for n in range(100, 140)}
        mixed: set[Any] = {*reversed(handles), gathered, *tasks}
        await asyncio.wait(mixed)
        order: list[int] = []
        for future in mixed:
            result = future.result()
            order.append(-1 if isinstance(result, list) else result)
        return order

    engine = run_to_end(flow, activities=echo)
    assert engine.result() == [*range(40), -1, *range(100, 140)]


def test_as_completed_starts_coroutines_in_the_order_given() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        started: list[int] = []

        async def one(number: int) -> int:
            started.append(number)
            return await ctx.queue_activity(work, number)

        results = [await next_one for next_one in asyncio.as_completed([*map(one, range(30))])]
        return [started, results]

    engine = run_to_end(flow, activities=echo)
    assert engine.result() == [[*range(30)], [*range(30)]]


def test_as_completed_with_a_timeout() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        results: list[Any] = []
        for next_one in asyncio.as_completed([asyncio.sleep(1, "a"), asyncio.sleep(9)], timeout=3):
            try:
                results.append(await next_one)
            except TimeoutError:
                results.append("late")
        return results

    assert run_to_end(flow).result() == ["a", "late"]


def test_task_group_aborts_in_the_order_of_making() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        ended: list[Any] = []

        async def one(number: int) -> None:
            try:
                await asyncio.sleep(100 + number)
            except asyncio.CancelledError:
                ended.append(number)
                raise

        async def bad() -> None:
            await ctx.queue_activity(work, 1)
            raise ValueError("bad")

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(25):
                    group.create_task(one(number))
                group.create_task(bad())
        except ExceptionGroup as failed:
            ended.append([str(error) for error in failed.exceptions])
        return ended

    engine = run_to_end(flow, activities=echo)
    assert engine.result() == [*range(25), ["bad"]]
    canceled = [e.timer_canceled.seq for e in engine.history if e.HasField("timer_canceled")]
    assert canceled == sorted(canceled)
    assert len(canceled) == 25


def test_queue_event_lock_semaphore_condition() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)
        event, lock, condition = asyncio.Event(), asyncio.Lock(), asyncio.Condition()
        semaphore = asyncio.Semaphore(2)
        log: list[Any] = []

        async def produce() -> None:
            for number in range(5):
                await queue.put(number)
                await asyncio.sleep(1)
            event.set()

        async def consume() -> None:
            log.extend([await queue.get() for _ in range(5)])

        async def locked(name: str) -> None:
            async with semaphore, lock:
                log.append(name)
                await ctx.sleep(1)
                log.append(name.upper())
            async with condition:
                condition.notify_all()

        async def conditional() -> None:
            async with condition:
                await condition.wait_for(lambda: "C" in log)
                log.append("condition")

        async with asyncio.TaskGroup() as group:
            group.create_task(conditional())
            group.create_task(produce())
            group.create_task(consume())
            for name in "abc":
                group.create_task(locked(name))
        await event.wait()
        return log

    log = run_to_end(flow).result()
    assert [entry for entry in log if isinstance(entry, int)] == [0, 1, 2, 3, 4]
    letters = [entry for entry in log if isinstance(entry, str)]
    assert letters == ["a", "A", "b", "B", "c", "C", "condition"]


def test_shield_lets_clean_up_finish() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        inner = asyncio.ensure_future(ctx.queue_activity(work, 1))
        outer = asyncio.shield(inner)
        outer.cancel()
        try:
            await outer
        except asyncio.CancelledError:
            return f"shielded {await inner}"
        raise AssertionError

    engine = run_to_end(flow, activities=echo)
    assert engine.result() == "shielded 1"
    assert "activity_cancel_requested" not in engine.names()


def test_async_generators_left_early_are_closed_at_the_end() -> None:
    closed: list[str] = []

    async def ticks(ctx: WorkflowContext) -> AsyncIterator[int]:
        number = 0
        try:
            while True:
                await ctx.sleep(1)
                yield number
                number += 1
        finally:
            closed.append("closed")
            await ctx.queue_activity(work, 9)

    @workflow
    async def flow(ctx: WorkflowContext) -> int:
        async for number in ticks(ctx):
            if number == 2:
                break
        return number

    engine = run_to_end(flow, activities=echo)
    assert engine.result() == 2
    assert engine.names().count("activity_scheduled") == 1
    assert closed == ["closed"] * 2  # live and in replay


def test_asyncio_outside_workflows_is_as_before() -> None:
    async def main() -> list[Any]:
        gathered = asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0, 2))
        assert {gathered: 1}[gathered] == 1
        done = [await one for one in asyncio.as_completed([asyncio.sleep(0, 3)])]
        return [await gathered, done]

    assert asyncio.run(main()) == [[1, 2], [3]]

"""Signals and conditions."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Any

import pytest

from sched_sdk import PayloadError, WorkflowContext, activity, workflow
from tests.replay.engine import SECOND, Engine, Worker, assert_replays, run_to_end


@dataclasses.dataclass
class Approval:
    by: str


@activity
async def work(number: int) -> int:
    return number


def drive(flow: Any, *signals: tuple[Any, ...], at_once: bool = False) -> Engine:
    """Start, then send the signals one task each, or all for one task."""
    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    for name, *arguments in signals:
        engine.signal(name, *arguments)
        if not at_once:
            worker.work()
    if engine.dirty:
        worker.work()
    worker.forget()
    assert_replays(flow, engine)
    return engine


def test_arrival_order_by_any_name_and_by_name() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        await ctx.wait_for_signal("go")
        first = await ctx.wait_for_signal("b")
        rest = [await ctx.wait_for_signal() for _ in range(2)]
        return [s.name for s in (first, *rest)] + [s.payload for s in (first, *rest)]

    engine = drive(flow, ("a", 1), ("b", 2), ("c", 3), ("go",))
    assert engine.result() == ["b", "a", "c", 2, 1, 3]


def test_payload_and_args() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        none, one, many = [await ctx.wait_for_signal() for _ in range(3)]
        typed = await ctx.wait_for_signal("approve", type=Approval)
        assert isinstance(typed.payload, Approval)
        return [none.payload, list(none.args), one.payload, many.payload, typed.payload.by]

    engine = drive(flow, ("x",), ("x", {"k": 1}), ("x", 1, 2), ("approve", {"by": "ops"}))
    assert engine.result() == [None, [], {"k": 1}, [1, 2], "ops"]


def test_payload_that_does_not_fit_is_raised_to_the_waiter() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        said = []
        for _ in range(2):
            try:
                await ctx.wait_for_signal("approve", type=Approval)
            except PayloadError as error:
                said.append(str(error))
        return said

    engine = drive(flow, ("approve", {"by": 1}), ("approve", 1, 2))
    unfit, several = engine.result()
    assert "by" in unfit
    assert "carries 2 values" in several


def test_waiters_of_one_name_are_served_in_order() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        got: list[Any] = []

        async def wait(who: str) -> None:
            got.append([who, (await ctx.wait_for_signal("s")).payload])

        await asyncio.gather(wait("x"), wait("y"))
        return got

    assert drive(flow, ("s", 1), ("s", 2), at_once=True).result() == [["x", 1], ["y", 2]]


def test_timeout_is_durable_and_cancelled_when_in_time() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        said = []
        for _ in range(2):
            try:
                said.append((await ctx.wait_for_signal("s", timeout=30)).name)
            except TimeoutError as error:
                said.append(str(error))
        return said

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    assert engine.history[-1].timer_scheduled.duration_us == 30 * SECOND
    engine.signal("s")
    worker.work()
    assert engine.names()[-2:] == ["timer_canceled", "timer_scheduled"]
    engine.fire_timer(2)
    worker.work()
    assert engine.result() == ["s", "no signal s within 30 s"]
    assert_replays(flow, engine)
    worker.forget()


def test_cancelled_waiter_takes_no_signal() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        waiter = asyncio.create_task(ctx.wait_for_signal("s"))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.wait([waiter])
        return [waiter.cancelled(), (await ctx.wait_for_signal("s")).payload]

    assert drive(flow, ("s", 1)).result() == [True, 1]


def test_signal_given_to_a_waiter_that_is_cancelled_at_once_goes_on() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> Any:
        waiter = asyncio.create_task(ctx.wait_for_signal("s"))
        await asyncio.sleep(0)

        # Deliver by hand what an activation brings: the signal first, then
        # the cancellation, before the waiter had its turn.
        ctx._signals.deliver(_received("s"))
        waiter.cancel()
        await asyncio.wait([waiter])
        return [waiter.cancelled(), (await ctx.wait_for_signal("s")).name]

    assert run_to_end(flow).result() == [True, "s"]


def _received(name: str) -> Any:
    from sched_sdk._replay.signals import Received

    return Received(name, ())


def test_handlers_get_typed_arguments_and_what_came_before() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        got: list[Any] = []
        await ctx.wait_for_signal("ready")

        @ctx.on_signal("approve")
        def approve(approval: Approval, count: int = 1) -> None:
            got.append([approval.by, count])

        @ctx.on_signal("work")
        async def do(number: int) -> None:
            got.append(await ctx.queue_activity(work, number))

        await ctx.wait_for(lambda: len(got) == 3)
        return got

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    engine.signal("approve", {"by": "early"})
    engine.signal("ready")
    engine.signal("approve", {"by": "late"}, 2)
    engine.signal("work", 7)
    worker.work()
    engine.complete_activity(1, 7)
    worker.work()
    assert engine.result() == [["early", 1], ["late", 2], 7]
    assert_replays(flow, engine)
    worker.forget()


def test_failing_handler_is_logged_once_and_does_not_fail_the_workflow(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        @ctx.on_signal("bad")
        def bad(number: int) -> None:
            raise ValueError(f"bad {number}")

        @ctx.on_signal("worse")
        async def worse() -> None:
            raise ValueError("worse")

        await ctx.wait_for_signal("stop")
        return "fine"

    with caplog.at_level(logging.ERROR, "sched.workflow"):
        engine = drive(flow, ("bad", "no number"), ("bad", 1), ("worse",), ("stop",))
    assert engine.result() == "fine"
    assert len(caplog.records) == 3


def test_wait_for_asks_in_order_to_a_fixpoint() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        state = {"n": 0}
        log: list[str] = []

        async def when(name: str, at: int, then: int) -> None:
            await ctx.wait_for(lambda: state["n"] >= at)
            log.append(f"{name}{state['n']}")
            state["n"] = then

        tasks = [when("a", 3, 4), when("b", 1, 2), when("c", 2, 3), when("d", 99, 0)]
        group = [asyncio.create_task(task) for task in tasks]

        @ctx.on_signal("go")
        def go() -> None:
            state["n"] = 1

        await asyncio.wait(group[:3])
        try:
            await ctx.wait_for(lambda: state["n"] > 100, timeout=5)
        except TimeoutError as error:
            log.append(str(error))
        return log

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    engine.signal("go")
    worker.work()
    engine.fire_timer(1)
    worker.work()
    assert engine.result() == ["b1", "c2", "a3", "the condition did not hold within 5 s"]
    assert_replays(flow, engine)
    worker.forget()


def test_wait_for_that_already_holds_does_not_wait() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        await ctx.wait_for(lambda: True, timeout=5)
        return "at once"

    engine = run_to_end(flow)
    assert engine.result() == "at once"
    assert "timer_scheduled" not in engine.names()


def test_predicate_may_only_look() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        state: list[int] = []

        def acts() -> bool:
            if state:
                ctx.queue_activity(work, 1)
            return False

        async def change() -> None:
            state.append(1)

        task = asyncio.create_task(change())
        try:
            await ctx.wait_for(acts)
        except RuntimeError as error:
            await task
            return str(error)
        raise AssertionError

    assert run_to_end(flow).result() == "a predicate of wait_for only looks at values"

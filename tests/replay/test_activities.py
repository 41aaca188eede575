"""Activities: what a handle gives, and when."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from sched_sdk import (
    ActivityError,
    CanceledFailureError,
    DefinitionError,
    PayloadError,
    RetryPolicy,
    TimeoutFailureError,
    WorkflowContext,
    activity,
    workflow,
)
from tests.replay.engine import SECOND, Engine, Worker, assert_replays, run_to_end


@dataclasses.dataclass
class Receipt:
    amount: int


@activity(start_to_close=60, retry=RetryPolicy(maximum_attempts=3))
async def charge(amount: int) -> Receipt:
    return Receipt(amount)


@activity
def ship(address: str = "home") -> str:
    return address


def test_result_is_read_by_the_annotation() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> list[Any]:
        receipt = await ctx.queue_activity(charge, 5)
        assert isinstance(receipt, Receipt)
        named = await ctx.queue_activity("other", 7, result_type=Receipt)
        assert isinstance(named, Receipt)
        plain = await ctx.queue_activity("other", 8)
        return [receipt.amount, named.amount, plain]

    engine = run_to_end(order, activities=lambda name, args: {"amount": args[0]})
    assert engine.result() == [5, 7, {"amount": 8}]


def test_command_is_recorded_at_once_and_in_order() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> None:
        second = [ctx.queue_activity(ship, name) for name in ("a", "b", "c")]
        await second[1]

    engine = Engine()
    engine.start()
    worker = Worker(engine, order)
    worker.work()
    names = [e.activity_scheduled.input[0].data for e in engine.history[2:]]
    assert names == [b'"a"', b'"b"', b'"c"']
    assert [e.activity_scheduled.seq for e in engine.history[2:]] == [1, 2, 3]
    worker.forget()


def test_options_come_from_the_declaration_and_the_call() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> None:
        ctx.queue_activity(charge, 1)
        ctx.queue_activity(
            charge,
            2,
            start_to_close=timedelta(seconds=5),
            schedule_to_close=60,
            schedule_to_start=7,
            heartbeat_timeout=0.5,
            task_queue="gpu",
            retry=RetryPolicy(maximum_attempts=9),
            summary="two",
        )
        await asyncio.Event().wait()

    engine = Engine()
    engine.start()
    worker = Worker(engine, order)
    worker.work()
    declared, overridden = (m.schedule_activity for m in worker.messages)
    assert declared.start_to_close_us == 60 * SECOND
    assert declared.retry.maximum_attempts == 3
    assert declared.task_queue == ""
    assert overridden.start_to_close_us == 5 * SECOND
    assert overridden.schedule_to_close_us == 60 * SECOND
    assert overridden.schedule_to_start_us == 7 * SECOND
    assert overridden.heartbeat_timeout_us == SECOND // 2
    assert overridden.task_queue == "gpu"
    assert overridden.retry.maximum_attempts == 9
    assert overridden.summary == "two"
    worker.forget()


def test_arguments_are_encoded_at_the_call() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> Any:
        items = [1]
        handle = ctx.queue_activity("echo", items)
        items.append(2)
        return await handle

    engine = run_to_end(order, activities=lambda name, args: args[0])
    assert engine.result() == [1]


def test_failure_raises_with_its_cause() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> list[str]:
        try:
            await ctx.queue_activity(charge, 5)
        except ActivityError as error:
            cause = error.__cause__
            return [error.activity_name, str(error), getattr(cause, "type", repr(cause))]
        raise AssertionError

    engine = Engine()
    engine.start()
    worker = Worker(engine, order)
    worker.work()
    engine.fail_activity(1, ValueError("no money"), attempts=3)
    worker.work()
    name, text, kind = engine.result()
    assert name == "charge"
    assert text == "activity charge failed after 3 attempts: ValueError: no money"
    assert kind == "ValueError"
    assert_replays(order, engine)
    worker.forget()


def test_time_limit_raises_activity_error_with_a_timeout_cause() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> str:
        try:
            await ctx.queue_activity(charge, 5)
        except ActivityError as error:
            cause = error.__cause__
            return cause.type if isinstance(cause, TimeoutFailureError) else repr(cause)
        raise AssertionError

    engine = Engine()
    engine.start()
    worker = Worker(engine, order)
    worker.work()
    engine.time_out_activity(1, "heartbeat")
    worker.work()
    assert engine.result() == "heartbeat"
    assert_replays(order, engine)
    worker.forget()


def test_result_that_does_not_fit_raises_payload_error() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> str:
        try:
            await ctx.queue_activity(charge, 5)
        except PayloadError as error:
            return str(error)
        raise AssertionError

    engine = run_to_end(order, activities=lambda name, args: {"amount": "many"})
    assert "amount" in engine.result()


def test_bad_calls_raise_in_the_code() -> None:
    def undeclared() -> None: ...

    @workflow
    async def order(ctx: WorkflowContext) -> list[str]:
        said = []
        calls: list[Any] = [
            lambda: ctx.queue_activity(undeclared),
            lambda: ctx.queue_activity(charge, object()),  # type: ignore[arg-type]
            lambda: ctx.queue_activity(charge, 1, start_to_close=-1),
            lambda: ctx.queue_activity(charge, 1, retries=3),  # type: ignore[call-overload]
        ]
        for call in calls:
            try:
                call()
            except (DefinitionError, PayloadError, TypeError) as error:
                said.append(f"{type(error).__name__}: {error}")
        return said

    engine = run_to_end(order)
    plain, unfit, negative, unknown = engine.result()
    assert "decorate it with @activity" in plain
    assert unfit.startswith("PayloadError")
    assert "negative" in negative
    assert "queue_activity has no option retries" in unknown
    assert "activity_scheduled" not in engine.names()


def test_fire_and_forget_is_awaited_before_the_close_and_its_failure_ignored() -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> str:
        ctx.queue_activity(ship)
        return "done"

    engine = Engine()
    engine.start()
    worker = Worker(engine, order)
    worker.work()
    assert not engine.closed
    engine.fail_activity(1, ValueError("lost"))
    worker.work()
    assert engine.result() == "done"
    assert_replays(order, engine)
    worker.forget()


class TestCancellation:
    @staticmethod
    def run(outcome: str) -> tuple[Engine, Worker]:
        @workflow
        async def order(ctx: WorkflowContext) -> list[Any]:
            handle = ctx.queue_activity(ship)
            await ctx.wait_for_signal("stop")
            asked = [handle.cancel(), handle.cancel(), handle.done()]
            try:
                return [*asked, await handle]
            except asyncio.CancelledError:
                return [*asked, "cancelled", handle.cancelled()]
            except ActivityError as error:
                return [*asked, "failed", type(error.__cause__).__name__]

        engine = Engine()
        engine.start()
        worker = Worker(engine, order)
        worker.work()
        engine.signal("stop")
        worker.work()
        assert not engine.closed
        assert engine.names().count("activity_cancel_requested") == 1
        if outcome == "canceled":
            engine.cancel_activity(1)
        elif outcome == "completed":
            engine.complete_activity(1, "there")
        else:
            engine.fail_activity(1, ValueError("x"))
        worker.work()
        assert_replays(order, engine)
        worker.forget()
        return engine, worker

    def test_canceled(self) -> None:
        engine, _ = self.run("canceled")
        assert engine.result() == [True, True, False, "cancelled", True]

    def test_completed_anyway(self) -> None:
        engine, _ = self.run("completed")
        assert engine.result() == [True, True, False, "there"]

    def test_failed_meanwhile(self) -> None:
        engine, _ = self.run("failed")
        assert engine.result() == [True, True, False, "failed", "ApplicationError"]

    def test_without_a_request_it_is_a_failure(self) -> None:
        @workflow
        async def order(ctx: WorkflowContext) -> str:
            try:
                await ctx.queue_activity(ship)
            except ActivityError as error:
                return type(error.__cause__).__name__
            raise AssertionError

        engine = Engine()
        engine.start()
        worker = Worker(engine, order)
        worker.work()
        engine.cancel_activity(1)
        worker.work()
        assert engine.result() == CanceledFailureError.__name__
        assert_replays(order, engine)
        worker.forget()

    def test_timeout_around_a_handle_waits_for_the_outcome(self) -> None:
        @workflow
        async def order(ctx: WorkflowContext) -> str:
            try:
                async with asyncio.timeout(5):
                    await ctx.queue_activity(ship)
            except TimeoutError:
                return "late"
            raise AssertionError

        engine = Engine()
        engine.start()
        worker = Worker(engine, order)
        worker.work()
        engine.fire_timer(1)
        worker.work()
        assert not engine.closed
        assert engine.cancel_asked == {2}
        engine.cancel_activity(2)
        worker.work()
        assert engine.result() == "late"
        assert_replays(order, engine)
        worker.forget()

    def test_request_for_what_is_over_is_moot(self) -> None:
        @workflow
        async def order(ctx: WorkflowContext) -> str:
            handle = ctx.queue_activity(ship)
            await ctx.wait_for_signal("stop")
            handle.cancel()
            return await handle

        engine = Engine()
        engine.start()
        worker = Worker(engine, order)
        worker.work()
        engine.signal("stop")
        # The outcome arrives while the task is out.
        worker._while_out = lambda: (
            engine.complete_activity(1, "there") if engine.activities else None
        )
        worker.work()
        requested = next(e for e in engine.history if e.HasField("activity_cancel_requested"))
        assert requested.activity_cancel_requested.moot
        worker.work()
        assert engine.result() == "there"
        assert_replays(order, engine)
        worker.forget()


@pytest.mark.parametrize("count", [0, 1, 50])
def test_gather_keeps_the_order_of_arguments(count: int) -> None:
    @workflow
    async def order(ctx: WorkflowContext) -> list[str]:
        return await asyncio.gather(*(ctx.queue_activity(ship, f"{n}") for n in range(count)))

    engine = run_to_end(order, activities=lambda name, args: args[0])
    assert engine.result() == [f"{n}" for n in range(count)]

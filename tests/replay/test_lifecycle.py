"""How a run ends: cancellation, failures, draining."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from sched_sdk import ActivityError, ApplicationError, WorkflowContext, activity, workflow
from sched_sdk.api.v1 import common_pb2
from tests.replay.engine import Engine, Worker, assert_replays, run_to_end


@activity
async def work(number: int = 0) -> int:
    return number


def start(flow: Any, *arguments: Any) -> tuple[Engine, Worker]:
    engine = Engine()
    engine.start(*arguments)
    worker = Worker(engine, flow)
    worker.work()
    return engine, worker


def end(flow: Any, engine: Engine, worker: Worker) -> None:
    assert engine.closed
    assert_replays(flow, engine)
    worker.forget()


def failure_of(engine: Engine) -> common_pb2.Failure:
    return engine.history[-1].workflow_failed.failure


def test_cancel_ends_canceled_when_the_error_leaves_the_function() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        await ctx.sleep(100)

    engine, worker = start(flow)
    engine.cancel("no longer needed")
    worker.work()
    assert engine.names()[-2:] == ["timer_canceled", "workflow_canceled"]
    assert "no longer needed" in engine.history[-1].workflow_canceled.failure.message
    end(flow, engine, worker)


def test_cancel_that_is_caught_completes() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        try:
            await ctx.sleep(100)
        except asyncio.CancelledError:
            await asyncio.shield(ctx.queue_activity(work))
            return "cleaned up"
        raise AssertionError

    engine, worker = start(flow)
    engine.cancel()
    worker.work()
    engine.complete_activity(2, 0)
    worker.work()
    assert engine.result() == "cleaned up"
    end(flow, engine, worker)


def test_cancel_waits_for_the_activity_that_is_awaited() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> int:
        return await ctx.queue_activity(work)

    engine, worker = start(flow)
    engine.cancel()
    worker.work()
    assert engine.cancel_asked == {1}
    assert not engine.closed
    engine.cancel_activity(1)
    worker.work()
    assert engine.names()[-1] == "workflow_canceled"
    end(flow, engine, worker)


def test_cancel_comes_at_the_next_await_if_the_activity_completes_anyway() -> None:
    seen: list[int] = []

    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        seen.append(await ctx.queue_activity(work, result_type=int))
        await ctx.sleep(100)

    engine, worker = start(flow)
    engine.cancel()
    worker.work()
    engine.complete_activity(1, 7)
    worker.work()
    assert engine.names()[-1] == "workflow_canceled"
    assert seen == [7]
    end(flow, engine, worker)


def test_cancel_that_was_delivered_does_not_disturb_the_cleaning_up() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        try:
            await asyncio.gather(ctx.queue_activity(work), asyncio.sleep(100))
        except asyncio.CancelledError:
            await asyncio.shield(ctx.queue_activity(work))
            return "cleaned up"
        raise AssertionError

    engine, worker = start(flow)
    engine.cancel()
    worker.work()
    engine.complete_activity(1, 0)
    worker.work()
    assert not engine.closed
    engine.complete_activity(3, 0)
    worker.work()
    assert engine.result() == "cleaned up"
    end(flow, engine, worker)


def test_cancel_stops_what_was_queued_before_it_when_the_function_ends() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        ctx.queue_activity(work)
        try:
            await ctx.sleep(100)
        finally:
            ctx.queue_activity(work)

    engine, worker = start(flow)
    engine.cancel()
    worker.work()
    assert engine.cancel_asked == {1}
    engine.cancel_activity(1)
    worker.work()
    assert not engine.closed, "the clean-up is let finish"
    engine.complete_activity(3, 0)
    worker.work()
    assert engine.names()[-1] == "workflow_canceled"
    end(flow, engine, worker)


def test_cancelled_error_without_a_request_fails() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        raise asyncio.CancelledError

    engine, worker = start(flow)
    assert engine.names()[-1] == "workflow_failed"
    end(flow, engine, worker)


def test_failure_carries_type_message_traceback_and_cause() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        try:
            await ctx.queue_activity(work)
        except ActivityError as error:
            raise LookupError("gave up") from error

    engine, worker = start(flow)
    engine.fail_activity(1, ValueError("no"))
    worker.work()
    failure = failure_of(engine)
    assert (failure.type, failure.message) == ("LookupError", "gave up")
    assert "test_lifecycle.py" in failure.traceback
    assert failure.cause.kind == common_pb2.FAILURE_KIND_ACTIVITY
    assert failure.cause.cause.type == "ValueError"
    with pytest.raises(ApplicationError, match="gave up"):
        engine.result()
    end(flow, engine, worker)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
@pytest.mark.parametrize("nested", [False, True])
def test_what_would_end_the_process_fails_the_workflow(error: BaseException, nested: bool) -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        async def inner() -> None:
            raise error

        if nested:
            await asyncio.create_task(inner())
        raise error

    engine, worker = start(flow)
    assert failure_of(engine).type == type(error).__name__
    end(flow, engine, worker)


def test_arguments_that_do_not_fit_and_results_that_cannot_be_encoded_fail() -> None:
    @workflow
    async def takes(ctx: WorkflowContext, number: int) -> None: ...

    @workflow
    async def gives(ctx: WorkflowContext) -> Any:
        return object()

    engine, worker = start(takes, "text")
    assert failure_of(engine).type == "PayloadError"
    end(takes, engine, worker)
    engine, worker = start(gives)
    assert failure_of(engine).type == "PayloadError"
    end(gives, engine, worker)


def test_remaining_tasks_are_cancelled_and_may_clean_up() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        async def background() -> None:
            try:
                await ctx.sleep(1000)
            finally:
                await ctx.queue_activity(work, 1)

        asyncio.create_task(background())  # noqa: RUF006 - the loop keeps it
        await asyncio.sleep(0)
        return "done"

    engine, worker = start(flow)
    assert not engine.closed
    # The sleep was set and cancelled in one activation: it took no number.
    assert engine.names()[2:] == ["activity_scheduled"]
    engine.complete_activity(1, 1)
    worker.work()
    assert engine.result() == "done"
    end(flow, engine, worker)


def test_cancel_while_draining_cancels_activities_and_waits_for_them() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        for number in range(3):
            ctx.queue_activity(work, number)
        return "done"

    engine, worker = start(flow)
    engine.complete_activity(2, 1)
    worker.work()
    engine.cancel()
    worker.work()
    assert engine.cancel_asked == {1, 3}
    engine.cancel_activity(1)
    worker.work()
    assert not engine.closed
    engine.complete_activity(3)
    worker.work()
    assert engine.result() == "done"
    end(flow, engine, worker)


def test_exception_is_kept_while_draining() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        ctx.queue_activity(work)
        raise ValueError("first")

    engine, worker = start(flow)
    assert not engine.closed
    engine.fail_activity(1, ValueError("second"))
    worker.work()
    assert failure_of(engine).message == "first"
    end(flow, engine, worker)


def test_close_refused_by_a_signal_lets_its_handler_run_first() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        @ctx.on_signal("note")
        async def note(value: int) -> None:
            await ctx.queue_activity(work, value)

        await ctx.queue_activity(work)
        return "done"

    engine, worker = start(flow)
    worker._while_out = lambda: (
        engine.signal("note", 5) if "signal_received" not in engine.names() else None
    )
    engine.complete_activity(1, 1)
    worker.work()
    assert engine.refusals == 1
    assert not engine.closed
    worker.work()
    # The function returns before the signal is delivered, but the run closes
    # only when what the handler does is done.
    assert list(engine.activities) == [2]
    engine.complete_activity(2, 5)
    worker.work()
    assert engine.result() == "done"
    end(flow, engine, worker)


def test_stray_exception_is_logged_live_and_silent_in_replay(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        async def stray() -> None:
            raise ValueError("nobody awaits me")

        task = asyncio.create_task(stray())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)
        return "done"

    with caplog.at_level(logging.ERROR, "sched.workflow"):
        assert run_to_end(flow).result() == "done"
    errors = [r.exc_info[0].__name__ for r in caplog.records if r.exc_info and r.exc_info[0]]
    assert errors == ["ValueError", "ZeroDivisionError"]

"""Activities through a real engine: failures, heartbeats, cancelling, limits."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sched_sdk import (
    ActivityError,
    ActivityNotFoundError,
    ApplicationError,
    CanceledFailureError,
    Client,
    RetryPolicy,
    Worker,
    WorkflowContext,
    WorkflowFailedError,
    activity,
    activity_context,
    workflow,
)
from sched_sdk.errors import TimeoutFailureError

ONCE = RetryPolicy(maximum_attempts=1)


@workflow
async def calls(ctx: WorkflowContext, name: str, argument: Any) -> Any:
    """Calls one activity, by name, without retries."""
    return await ctx.queue_activity(name, argument, retry=ONCE)


async def failure_of(client: Client, function: Callable[..., Any], argument: Any) -> ActivityError:
    async with Worker(client, workflows=[calls], activities=[function]):
        with pytest.raises(WorkflowFailedError) as raised:
            await client.execute_workflow(calls, function.__name__, argument)
    error = raised.value.__cause__
    assert isinstance(error, ActivityError)
    return error


@activity
async def raises(_: None) -> None:
    raise KeyError("missing")


async def test_an_exception_arrives_with_its_traceback(client: Client) -> None:
    error = await failure_of(client, raises, None)
    assert error.activity_name == "raises"
    cause = error.__cause__
    assert isinstance(cause, ApplicationError)
    assert cause.type == "KeyError"
    assert 'raise KeyError("missing")' in cause.remote_traceback
    assert "sched_sdk" not in cause.remote_traceback


@activity
async def takes_number(number: int) -> int:
    return number


async def test_an_argument_that_does_not_fit(client: Client) -> None:
    error = await failure_of(client, takes_number, "seven")
    assert isinstance(error.__cause__, ApplicationError)
    assert error.__cause__.type == "PayloadError"
    assert error.__cause__.non_retryable
    assert "number" in str(error.__cause__)


@activity
async def returns_too_much(_: None) -> str:
    return "x" * (3 * 1024 * 1024)


async def test_a_result_over_the_limit_names_the_limit(client: Client) -> None:
    error = await failure_of(client, returns_too_much, None)
    assert "returns_too_much is 3.0 MiB when encoded; the limit is 2.0 MiB" in str(error.__cause__)


@activity
def exits(_: None) -> None:
    sys.exit(3)


@activity
async def exits_async(_: None) -> None:
    sys.exit(3)


@pytest.mark.parametrize("function", [exits, exits_async])
async def test_sys_exit_ends_the_activity_only(
    client: Client, function: Callable[..., Any]
) -> None:
    error = await failure_of(client, function, None)
    assert "SystemExit left the function" in str(error.__cause__)


@activity
async def counts(_: None) -> int:
    done: int = activity_context().last_heartbeat_details or 0
    activity_context().heartbeat(done + 1)
    activity_context().heartbeat(done + 2)
    if activity_context().attempt < 3:
        raise OSError("again")
    return done


@workflow
async def retries(ctx: WorkflowContext) -> int:
    policy = RetryPolicy(initial_interval=0.001, maximum_interval=0.001)
    return await ctx.queue_activity(counts, None, retry=policy)


async def test_what_was_said_last_reaches_the_next_attempt(client: Client) -> None:
    async with Worker(client, workflows=[retries], activities=[counts]):
        assert await client.execute_workflow(retries) == 4


started: asyncio.Event
loop: asyncio.AbstractEventLoop


@activity
async def sleeps(_: None) -> str:
    started.set()
    await asyncio.sleep(3600)
    return "slept"


@activity
async def stubborn(_: None) -> str:
    started.set()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "finished anyway"
    return "slept"


@activity
def blocks(_: None) -> str:
    loop.call_soon_threadsafe(started.set)
    assert activity_context().wait_cancelled(10)
    try:
        activity_context().heartbeat()
    except CanceledFailureError:
        return activity_context().cancel_reason
    return "not cancelled"


@pytest.fixture(autouse=True)
async def _events() -> None:
    global started, loop
    started, loop = asyncio.Event(), asyncio.get_running_loop()


@workflow
async def cancels(ctx: WorkflowContext, name: str) -> Any:
    handle = ctx.queue_activity(name, None, retry=ONCE)
    await ctx.wait_for_signal("stop")
    handle.cancel()
    return await handle


async def cancelled(client: Client, function: Callable[..., Any]) -> Any:
    async with Worker(client, workflows=[cancels], activities=[function]):
        handle = await client.start_workflow(cancels, function.__name__)
        async with asyncio.timeout(10):
            await started.wait()
        await handle.signal("stop")
        return await handle.result(timeout=60)


async def test_an_async_activity_is_cancelled(client: Client) -> None:
    with pytest.raises(WorkflowFailedError) as raised:
        await cancelled(client, sleeps)
    error: BaseException | None = raised.value
    while error is not None and not isinstance(error, CanceledFailureError):
        error = error.__cause__
    assert isinstance(error, CanceledFailureError)


async def test_an_activity_may_finish_although_it_was_cancelled(client: Client) -> None:
    assert await cancelled(client, stubborn) == "finished anyway"


async def test_a_plain_function_learns_of_it_from_its_context(client: Client) -> None:
    assert await cancelled(client, blocks)


@workflow
async def limited(ctx: WorkflowContext, name: str) -> Any:
    return await ctx.queue_activity(
        name, None, retry=ONCE, start_to_close=timedelta(milliseconds=200)
    )


async def test_start_to_close(client: Client) -> None:
    async with Worker(
        client, workflows=[limited], activities=[sleeps], max_concurrent_activities=1
    ):
        for _ in range(2):  # the second one needs the slot of the first
            with pytest.raises(WorkflowFailedError) as raised:
                await client.execute_workflow(limited, "sleeps")
            assert isinstance(raised.value.__cause__, ActivityError)
            assert isinstance(raised.value.__cause__.__cause__, TimeoutFailureError)


tokens: list[bytes] = []


@activity
async def asks_someone(_: None) -> str:
    tokens.append(activity_context().task_token)
    started.set()
    activity_context().complete_elsewhere()


async def test_an_activity_completed_elsewhere(client: Client) -> None:
    tokens.clear()
    async with Worker(client, workflows=[calls], activities=[asks_someone]):
        handle = await client.start_workflow(calls, "asks_someone", None)
        async with asyncio.timeout(10):
            await started.wait()
        task = client.activity(tokens[0])
        async with asyncio.timeout(10):
            while not (await handle.describe()).activities[0].heartbeat_details:
                assert await task.heartbeat({"asked": "bob"}) is False
        await task.complete("yes")
        assert await handle.result(timeout=60) == "yes"
        with pytest.raises(ActivityNotFoundError):
            await task.complete("again")


async def test_an_activity_failed_elsewhere(client: Client) -> None:
    tokens.clear()
    async with Worker(client, workflows=[calls], activities=[asks_someone]):
        handle = await client.start_workflow(calls, "asks_someone", None)
        async with asyncio.timeout(10):
            await started.wait()
        await client.activity(tokens[0]).fail(ValueError("bob said no"))
        with pytest.raises(WorkflowFailedError) as raised:
            await handle.result(timeout=60)
    assert isinstance(raised.value.__cause__, ActivityError)
    assert str(raised.value.__cause__.__cause__) == "ValueError: bob said no"

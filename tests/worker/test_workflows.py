"""Workflows through a real engine: segments, steps, caching, failures."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from sched_sdk import (
    ApplicationError,
    Client,
    RetryPolicy,
    Worker,
    WorkflowContext,
    WorkflowFailedError,
    activity,
    workflow,
)
from sched_sdk._client import Event, WorkflowHandle
from sched_server import EngineServer


async def types(events: AsyncIterator[Event]) -> list[str]:
    return [event.type async for event in events]


async def until_event(handle: WorkflowHandle[Any], event_type: str) -> Event:
    async with asyncio.timeout(10):
        async for event in handle.history(follow=True):
            if event.type == event_type:
                return event
    raise AssertionError(f"the workflow ended without {event_type}")


@activity
async def greet(name: str) -> str:
    return f"hello {name}"


@activity
def shout(text: str) -> str:
    assert threading.current_thread() is not threading.main_thread()
    return text.upper()


@workflow
async def polite(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(shout, await ctx.queue_activity(greet, name))


async def test_activities_of_both_kinds(client: Client) -> None:
    async with Worker(client, workflows=[polite], activities=[greet, shout]):
        assert await client.execute_workflow(polite, "world") == "HELLO WORLD"


def add(left: int, right: int) -> int:
    return left + right


@workflow
async def adds(ctx: WorkflowContext, count: int) -> int:
    total = 0
    for number in range(count):
        total = await ctx.step(add, total, number)
    return total


async def test_steps_are_durable_one_by_one(client: Client) -> None:
    async with Worker(client, workflows=[adds]):
        handle = await client.start_workflow(adds, 5)
        assert await handle.result(timeout=60) == 10
    names = await types(handle.history())
    assert names.count("StepCompleted") == 5
    # Each outcome is acknowledged before the next step starts; the last one
    # travels with the end of the workflow.
    assert names[-2:] == ["StepCompleted", "WorkflowCompleted"]
    assert names.count("WorkflowTaskCompleted") == 5


@workflow
async def adds_at_once(ctx: WorkflowContext, count: int) -> int:
    async def one(number: int) -> int:
        return await ctx.step(add, number, 1)

    return sum(await asyncio.gather(*(one(number) for number in range(count))))


async def test_concurrent_steps_share_segments(client: Client) -> None:
    async with Worker(client, workflows=[adds_at_once]):
        handle = await client.start_workflow(adds_at_once, 40)
        assert await handle.result(timeout=60) == sum(range(1, 41))
    names = await types(handle.history())
    assert names.count("StepCompleted") == 40
    assert names.count("WorkflowTaskCompleted") < 20


class Flaky:
    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            raise OSError("not yet")
        return "at last"


flaky = Flaky(0)


async def call_flaky() -> str:
    return await flaky()


@workflow
async def tries(ctx: WorkflowContext, first_wait: float) -> str:
    policy = RetryPolicy(initial_interval=first_wait, maximum_attempts=3, maximum_interval=10)
    return await ctx.step(call_flaky, retry=policy)


async def test_a_step_is_tried_again_in_place(client: Client) -> None:
    flaky.failures = 2
    async with Worker(client, workflows=[tries]):
        handle = await client.start_workflow(tries, 0.01)
        assert await handle.result(timeout=60) == "at last"
    events = [event async for event in handle.history()]
    assert [event.type for event in events].count("StepFailed") == 0
    step = next(event for event in events if event.type == "StepCompleted")
    assert step.attributes["attempt"] == 3


async def test_a_long_wait_between_tries_is_a_durable_timer(client: Client) -> None:
    flaky.failures = 1
    async with Worker(client, workflows=[tries]):
        handle = await client.start_workflow(tries, 3.5)
        failed = await until_event(handle, "StepFailed")
        assert failed.attributes["retry_after"] == timedelta(seconds=3.5)
        assert await handle.result(timeout=60) == "at last"


async def test_a_step_that_fails_for_good(client: Client) -> None:
    flaky.failures = 100
    async with Worker(client, workflows=[tries]):
        with pytest.raises(WorkflowFailedError) as raised:
            await client.execute_workflow(tries, 0.01)
    assert raised.value.status == "FAILED"
    assert str(raised.value.__cause__) == "OSError: not yet"


async def forever() -> None:
    await asyncio.Event().wait()


@workflow
async def impatient(ctx: WorkflowContext) -> str:
    try:
        await ctx.step(
            forever, timeout=timedelta(seconds=0.05), retry=RetryPolicy(maximum_attempts=1)
        )
    except TimeoutError:
        return "too late"
    return "never"


async def test_a_step_has_a_time_limit(client: Client) -> None:
    async with Worker(client, workflows=[impatient]):
        assert await client.execute_workflow(impatient) == "too late"


@workflow
async def echoes(ctx: WorkflowContext) -> list[Any]:
    return [(await ctx.wait_for_signal("word")).payload for _ in range(3)]


async def test_only_what_is_new_reaches_a_cached_run(client: Client) -> None:
    async with Worker(client, workflows=[echoes]):
        handle = await client.start_workflow(echoes)
        for word in ("one", "two", "three"):
            await handle.signal("word", word)
        assert await handle.result(timeout=60) == ["one", "two", "three"]


async def test_a_run_that_fell_out_of_the_cache_is_replayed(client: Client) -> None:
    async with Worker(client, workflows=[echoes], max_cached_workflows=1):
        handles = [await client.start_workflow(echoes) for _ in range(5)]
        for word in ("one", "two", "three"):
            for handle in handles:
                await handle.signal("word", word)
                await until_event(handle, "WorkflowTaskCompleted")
        for handle in handles:
            assert await handle.result(timeout=60) == ["one", "two", "three"]


async def test_another_worker_goes_on(client: Client) -> None:
    async with Worker(client, workflows=[echoes], identity="first"):
        handle = await client.start_workflow(echoes)
        await handle.signal("word", "one")
        await until_event(handle, "WorkflowTaskCompleted")
    async with Worker(client, workflows=[echoes], identity="second"):
        await handle.signal("word", "two")
        await handle.signal("word", "three")
        assert await handle.result(timeout=60) == ["one", "two", "three"]


class Version:
    new = False


@workflow(name="changes")
async def changes_old(ctx: WorkflowContext) -> str:
    await ctx.sleep(0.01)
    return str((await ctx.wait_for_signal("go")).payload)


@workflow(name="changes")
async def changes_new(ctx: WorkflowContext) -> str:
    await ctx.queue_activity(greet, "you")
    return "new"


async def test_code_that_does_not_fit_its_history_is_stuck_and_says_why(client: Client) -> None:
    async with Worker(client, workflows=[changes_old]):
        handle = await client.start_workflow(changes_old)
        await until_event(handle, "TimerFired")
    async with Worker(client, workflows=[changes_new], activities=[greet]):
        await handle.signal("go", "on")
        failed = await until_event(handle, "WorkflowTaskFailed")
        assert failed.attributes["cause"] == "NON_DETERMINISM"
        assert "greet" in failed.attributes["failure"]["message"]
        description = await handle.describe()
        assert description.workflow_task is not None
        assert description.workflow_task.last_failure_cause == "NON_DETERMINISM"
    async with Worker(client, workflows=[changes_old]):
        assert await handle.result(timeout=20) == "on"


@workflow
async def fails(ctx: WorkflowContext) -> None:
    raise ApplicationError("no stock", type="OutOfStock", details=[{"item": 7}])


async def test_a_workflow_that_raises(client: Client) -> None:
    async with Worker(client, workflows=[fails]):
        with pytest.raises(WorkflowFailedError, match="OutOfStock: no stock") as raised:
            await client.execute_workflow(fails, id="w-fails")
    cause = raised.value.__cause__
    assert isinstance(cause, ApplicationError)
    assert cause.details == ({"item": 7},)
    assert "w-fails FAILED" in str(raised.value)


async def test_arguments_that_do_not_fit_fail_the_workflow(client: Client) -> None:
    async with Worker(client, workflows=[adds]):
        with pytest.raises(WorkflowFailedError, match="count"):
            await client.execute_workflow("adds", "many")


@workflow
async def cleans_up(ctx: WorkflowContext) -> str:
    try:
        await ctx.wait_for_signal("never")
    finally:
        await asyncio.shield(asyncio.ensure_future(ctx.step(add, 1, 1)))
    return "unreachable"


async def test_cancel(client: Client) -> None:
    async with Worker(client, workflows=[cleans_up]):
        handle = await client.start_workflow(cleans_up)
        await until_event(handle, "WorkflowTaskCompleted")
        await handle.cancel("enough")
        with pytest.raises(WorkflowFailedError) as raised:
            await handle.result(timeout=60)
    assert raised.value.status == "CANCELED"
    assert "StepCompleted" in await types(handle.history())


async def test_terminate(client: Client) -> None:
    async with Worker(client, workflows=[echoes]):
        handle = await client.start_workflow(echoes)
        await until_event(handle, "WorkflowTaskCompleted")
        await handle.terminate("enough")
        with pytest.raises(WorkflowFailedError) as raised:
            await handle.result(timeout=60)
    assert raised.value.status == "TERMINATED"


async def test_a_long_history_is_read_in_pages(client: Client) -> None:
    @workflow
    async def many(ctx: WorkflowContext, count: int) -> int:
        for number in range(count):
            await ctx.step(add, number, 1)
        await ctx.wait_for_signal("go")
        return count

    async with Worker(client, workflows=[many]):
        handle = await client.start_workflow(many, 1500)
        async with asyncio.timeout(30):
            while (await handle.describe()).info.history_length < 3001:
                pass
            while (await handle.describe()).workflow_task is not None:
                pass
    async with Worker(client, workflows=[many]):
        await handle.signal("go")
        assert await handle.result(timeout=20) == 1500


async def test_many_workflows_at_once(client: Client, engine: EngineServer) -> None:
    async with Worker(client, workflows=[polite], activities=[greet, shout]):
        results = await asyncio.gather(
            *(client.execute_workflow(polite, str(number)) for number in range(300))
        )
    assert results == [f"HELLO {number}" for number in range(300)]


async def test_a_patch_keeps_a_running_workflow_on_its_path(client: Client) -> None:
    @workflow(name="Patched")
    async def before(ctx: WorkflowContext) -> str:
        await ctx.wait_for_signal("go")
        return await ctx.queue_activity(greet, "old")

    @workflow(name="Patched")
    async def after(ctx: WorkflowContext) -> str:
        new = ctx.patched("shout")
        await ctx.wait_for_signal("go")
        text = await ctx.queue_activity(greet, "new" if new else "old")
        return await ctx.queue_activity(shout, text) if new else text

    async with Worker(client, workflows=[before], activities=[greet]):
        started_before = await client.start_workflow("Patched", id="started-before")
        await until_event(started_before, "WorkflowTaskCompleted")
    async with Worker(client, workflows=[after], activities=[greet, shout], max_cached_workflows=1):
        started_after = await client.start_workflow("Patched", id="started-after")
        await until_event(started_after, "MarkerRecorded")
        for handle in (started_before, started_after):
            await handle.signal("go")

        assert await started_before.result(timeout=60) == "hello old"
        assert await started_after.result(timeout=60) == "HELLO NEW"

"""Runs that begin with another's history, carried on by real workers."""

from __future__ import annotations

from typing import Any

import pytest

from sched_sdk import (
    ApplicationError,
    Client,
    InvalidArgumentError,
    Worker,
    WorkflowAlreadyStartedError,
    WorkflowContext,
    WorkflowFailedError,
    activity,
    workflow,
)
from tests.worker.test_workflows import types, until_event

calls: list[str] = []
refused: set[str] = set()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    refused.add("card")
    calls.clear()


@activity
async def book(what: str) -> str:
    calls.append(what)
    return f"{what} booked"


@activity
async def pay(amount: int) -> str:
    calls.append("pay")
    if refused:
        raise ApplicationError("card refused", non_retryable=True)
    return f"paid {amount}"


@workflow
async def trip(ctx: WorkflowContext, to: str) -> list[str]:
    flight = await ctx.queue_activity(book, f"flight to {to}")
    number = ctx.random.randint(1, 1_000_000)
    hotel = await ctx.step(lambda: f"hotel {number}", name="hotel")
    paid = await ctx.queue_activity(pay, 100)
    return [flight, hotel, paid]


@workflow
async def collect(ctx: WorkflowContext, number: int) -> list[Any]:
    await ctx.queue_activity(book, "table")
    return [(await ctx.wait_for_signal("guest")).payload for _ in range(number)]


async def test_a_failed_workflow_is_paid_for_after_a_reset(client: Client) -> None:
    async with Worker(client, workflows=[trip], activities=[book, pay]):
        handle = await client.start_workflow(trip, "Rome")
        with pytest.raises(WorkflowFailedError):
            await handle.result(timeout=60)
        failed = await until_event(handle, "ActivityFailed")
        hotel = await until_event(handle, "StepCompleted")
        refused.clear()

        again = await handle.reset(failed.event_id - 1, reason="the card works now")
        result = await again.result(timeout=60)

    assert result == ["flight to Rome booked", hotel.attributes["result"], "paid 100"]
    assert calls == ["flight to Rome", "pay", "pay"], "what was done is not done again"
    description = await again.describe()
    assert description.origin is not None
    assert description.origin.run_id == handle.run_id
    assert description.origin.event_id == failed.event_id - 1


async def test_whoever_waits_for_the_result_gets_that_of_the_new_run(client: Client) -> None:
    async with Worker(client, workflows=[collect], activities=[book]):
        handle = await client.start_workflow(collect, 2)
        await handle.signal("guest", "ann")
        await until_event(handle, "SignalReceived")

        again = await handle.reset("first")
        await again.signal("guest", "bob")

        assert await handle.result(timeout=60) == ["ann", "bob"]
        assert (await handle.describe()).new_run_id == again.run_id
        assert (await handle.describe()).status == "TERMINATED"


async def test_a_fork_goes_its_own_way(client: Client) -> None:
    async with Worker(client, workflows=[collect], activities=[book]):
        handle = await client.start_workflow(collect, 2, id="dinner")
        await until_event(handle, "ActivityCompleted")
        fork = await handle.fork("last", id="other-dinner")
        for name in ("ann", "bob"):
            await handle.signal("guest", name)
        for name in ("cleo", "dan"):
            await fork.signal("guest", name)

        assert await handle.result(timeout=60) == ["ann", "bob"]
        assert await fork.result(timeout=60) == ["cleo", "dan"]
        assert (await fork.describe()).info.workflow_id == "other-dinner"


async def test_a_reset_of_a_reset(client: Client) -> None:
    async with Worker(client, workflows=[collect], activities=[book]):
        handle = await client.start_workflow(collect, 1)
        await until_event(handle, "ActivityCompleted")
        second = await handle.reset("first")
        await until_event(second, "ActivityCompleted")
        third = await second.reset("last")
        await third.signal("guest", "ann")

        assert await handle.result(timeout=60) == ["ann"]
        assert await types(third.history())


async def test_what_is_refused(client: Client) -> None:
    async with Worker(client, workflows=[collect], activities=[book]):
        handle = await client.start_workflow(collect, 1, id="dinner")
        with pytest.raises(InvalidArgumentError, match="event 99 is not in the history"):
            await handle.reset(99)
        with pytest.raises(InvalidArgumentError, match="give the id of the last event to keep"):
            await handle.reset("middle")  # type: ignore[arg-type]
        with pytest.raises(WorkflowAlreadyStartedError, match="'dinner' is running"):
            await handle.fork("first", id="dinner")

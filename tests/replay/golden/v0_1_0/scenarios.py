"""How each history came about: a function that plays the world, for each file."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sched_sdk import Client, Worker, WorkflowFailedError, WorkflowHandle
from tests.replay.golden.v0_1_0 import activities as do
from tests.replay.golden.v0_1_0 import before, edited, workflows

ACTIVITIES = do.ACTIVITIES

Handle = WorkflowHandle[Any]
Scenario = Callable[[Client, str], Awaitable[Handle]]


async def until(handle: Handle, *types: str) -> None:
    """Wait until events of these types have come, in this order, and the code has
    been given the last."""
    left = list(types)
    last = 0
    async for event in handle.history(follow=True):
        if left and event.type == left[0]:
            del left[0]
            last = event.event_id
        raw = event.raw
        assert raw is not None
        task = raw.workflow_task_completed
        if not left and event.type == "WorkflowTaskCompleted" and task.seen >= last:
            return


async def ended(handle: Handle) -> Handle:
    with contextlib.suppress(WorkflowFailedError):
        await handle.result(timeout=30)
    return handle


def runs(function: Callable[..., Any], *arguments: Any) -> Scenario:
    """Start it, and wait until it has ended."""

    async def scenario(client: Client, workflow_id: str) -> Handle:
        return await ended(await client.start_workflow(function, *arguments, id=workflow_id))

    return scenario


async def deferred_step(client: Client, workflow_id: str) -> Handle:
    do.signalled.clear()
    handle = await client.start_workflow(workflows.deferred_step, "A-1", id=workflow_id)
    await handle.signal("late", "hello")
    do.signalled.set()
    return await ended(handle)


async def signals(client: Client, workflow_id: str) -> Handle:
    handle = await client.start_workflow(workflows.signals, id=workflow_id, start_delay=0.05)
    await handle.signal("add", "early")
    await handle.signal("named", 7)
    await until(handle, "SignalReceived")
    await handle.signal("add", "pear", 3)
    await handle.signal("work", "A-1")
    await until(handle, "ActivityCompleted")
    await handle.signal("whatever", 1, "two")
    await until(handle, "TimerFired")
    await handle.signal("last", {"a": [1, None]})
    return await ended(handle)


def canceled(where: str) -> Scenario:
    async def scenario(client: Client, workflow_id: str) -> Handle:
        handle = await client.start_workflow(workflows.canceled, where, id=workflow_id)
        await until(handle, "ActivityCompleted")
        await handle.cancel("plans have changed")
        return await ended(handle)

    return scenario


async def canceled_at_once(client: Client, workflow_id: str) -> Handle:
    handle = await client.start_workflow(
        workflows.canceled, "early", id=workflow_id, start_delay=0.1
    )
    await handle.cancel()
    return await ended(handle)


async def payloads(client: Client, workflow_id: str) -> Handle:
    ordered = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    item = do.Item("tea", Decimal("2.50"), ordered, ["green", "\u8336"])
    handle = await client.start_workflow(workflows.payloads, item, b"\0\xff", id=workflow_id)
    return await ended(handle)


def patched(function: Callable[..., Any]) -> Scenario:
    async def scenario(client: Client, workflow_id: str) -> Handle:
        handle = await client.start_workflow(function, "A-1", id=workflow_id)
        await handle.signal("go")
        return await ended(handle)

    return scenario


async def patched_between(client: Client, workflow_id: str) -> Handle:
    """Waits for its signal when the code is changed. See `after`."""
    handle = await client.start_workflow(before.patched, "A-1", id=workflow_id)
    await until(handle, "ActivityCompleted")
    return handle


async def goes_on_after(handle: Handle) -> Handle:
    await handle.signal("go")
    return await ended(handle)


async def goes_on(client: Client, workflow_id: str) -> Handle:
    handle = await client.start_workflow(workflows.goes_on, "A-1", id=workflow_id)
    await until(handle, "ActivityCompleted")
    await handle.signal("one", 1)
    await until(handle, "TimerFired")
    return handle


async def reset(client: Client, workflow_id: str) -> Handle:
    handle = await goes_on(client, workflow_id)
    again = await handle.reset("first", reason="once more")
    await again.signal("two", 2)
    return await ended(again)


async def forked(client: Client, workflow_id: str) -> Handle:
    original = await goes_on(client, f"{workflow_id}-original")
    await original.signal("two", 2)
    await ended(original)
    scheduled = [event async for event in original.history() if event.type == "TimerScheduled"]
    return await ended(await original.fork(scheduled[0].event_id, id=workflow_id))


async def reset_when_open(client: Client, workflow_id: str) -> Handle:
    handle = await goes_on(client, workflow_id)
    again = await handle.reset("last", keep_signals=False)
    await until(again, "TimerFired")
    return again


async def terminated(client: Client, workflow_id: str) -> Handle:
    handle = await goes_on(client, workflow_id)
    await handle.terminate("enough")
    return handle


async def timed_out(client: Client, workflow_id: str) -> Handle:
    handle = await client.start_workflow(
        workflows.goes_on, "A-1", id=workflow_id, execution_timeout=0.2
    )
    return await ended(handle)


async def mended(client: Client, workflow_id: str) -> Handle:
    """Code that does something else is deployed while it waits, and taken back."""

    def worker(function: Callable[..., Any], build: str) -> Worker:
        return Worker(
            client,
            task_queue="mended",
            workflows=[function],
            activities=ACTIVITIES,
            identity="golden",
            build_id=build,
        )

    async with worker(workflows.goes_on, "golden-good"):
        handle = await client.start_workflow(
            workflows.goes_on, "A-1", id=workflow_id, task_queue="mended"
        )
        await until(handle, "ActivityCompleted")
    async with worker(edited.step_left_out, "golden-bad"):
        await handle.signal("one", 1)
        async for event in handle.history(follow=True):
            if event.type == "WorkflowTaskFailed":
                break
    async with worker(workflows.goes_on, "golden-good"):
        await handle.signal("two", 2)
        return await ended(handle)


OLD: dict[str, Scenario] = {
    "patched-before": patched(before.patched),
    "patched-between": patched_between,
    "deprecated-before": runs(before.deprecated, "A-1"),
}
"""Recorded on the code in `before`."""

AFTER: dict[str, Callable[[Handle], Awaitable[Handle]]] = {"patched-between": goes_on_after}
"""What then happens to them on the code in `workflows`."""

NEW: dict[str, Scenario] = {
    "activities": runs(workflows.activities, "A-1"),
    "steps": runs(workflows.steps, "A-1"),
    "step-deferred": deferred_step,
    "loop": runs(workflows.loop, 40),
    "timers": runs(workflows.timers),
    "signals": signals,
    "canceled-waiting": canceled("waiting"),
    "canceled-in-activity": canceled("activity"),
    "canceled-in-shield": canceled("shield"),
    "canceled-and-returns": canceled("returns"),
    "canceled-and-fails": canceled("fails"),
    "canceled-at-once": canceled_at_once,
    "together": runs(workflows.together, "A-1"),
    "payloads": payloads,
    "patched": patched(workflows.patched),
    "deprecated": runs(workflows.deprecated, "A-1"),
    "fails": runs(workflows.fails, "A-1"),
    "open": goes_on,
    "reset": reset,
    "reset-open": reset_when_open,
    "forked": forked,
    "mended": mended,
    "terminated": terminated,
    "timed-out": timed_out,
}
"""Recorded on the code in `workflows`."""

"""Workflows of many shapes, whose results can be said beforehand.

Every activity and step writes a line to a ledger when it starts, so that the
test knows what ran when, whatever was killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import timedelta

from sched_sdk import RetryPolicy, WorkflowContext, activity, activity_context, workflow
from sched_sdk.errors import ActivityError

LEDGER = os.environ.get("CRASH_LEDGER", "")


def note(kind: str, workflow_id: str, key: str) -> None:
    """One line, appended in one write, so that lines of many processes do not mix."""
    if not LEDGER:
        return
    line = json.dumps([time.time(), kind, workflow_id, key]) + "\n"
    descriptor = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def note_activity() -> None:
    info = activity_context().info
    note("activity", info.workflow_id, str(info.seq))


PATIENT = RetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    maximum_interval=timedelta(milliseconds=500),
    maximum_attempts=0,
)


@activity(retry=PATIENT)
async def double(value: int) -> int:
    note_activity()
    await asyncio.sleep(0.02)
    return 2 * value


@activity(retry=PATIENT)
def double_in_thread(value: int) -> int:
    note_activity()
    time.sleep(0.01)
    return 2 * value


@activity(retry=PATIENT)
async def flaky(value: int, failures: int) -> int:
    note_activity()
    attempt = activity_context().attempt
    if attempt <= failures:
        raise ConnectionError(f"attempt {attempt} fails on purpose")
    return value + 1


@activity(retry=RetryPolicy(maximum_attempts=1))
async def once(value: int) -> int:
    note_activity()
    return value


@activity(retry=RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=20)))
async def always_fails() -> None:
    note_activity()
    raise ValueError("this one never works")


@activity(retry=PATIENT, heartbeat_timeout=timedelta(seconds=20))
async def until_canceled() -> None:
    note_activity()
    while True:
        activity_context().heartbeat()
        await asyncio.sleep(0.05)


def triple(value: int) -> int:
    return 3 * value


async def triple_async(value: int) -> int:
    return 3 * value


@workflow
async def sequential(ctx: WorkflowContext, n: int) -> int:
    total = 0
    for i in range(n):
        total += await ctx.queue_activity(double, i)
    return total


@workflow
async def steps(ctx: WorkflowContext, n: int) -> int:
    total = 0
    for i in range(n):
        total += await ctx.step(triple_async if i % 2 else triple, i)
    return total


@workflow
async def sleeper(ctx: WorkflowContext, n: int) -> int:
    total = 0
    for i in range(n):
        await ctx.sleep(0.3)
        total += await ctx.queue_activity(double_in_thread, i)
    return total


@workflow
async def fan_out(ctx: WorkflowContext, n: int) -> list[int]:
    handles = [ctx.queue_activity(double, i) for i in range(n)]
    return list(await asyncio.gather(*handles))


@workflow
async def signaled(ctx: WorkflowContext, n: int) -> list[int]:
    received: list[int] = []
    while len(received) < n:
        signal = await ctx.wait_for_signal("item", type=int)
        received.append(signal.payload)
        if signal.payload % 3 == 0:
            await ctx.step(triple, signal.payload)
    return received


@workflow
async def mixed(ctx: WorkflowContext, value: int) -> dict[str, int]:
    async def slow_branch() -> int:
        await asyncio.sleep(0.4)
        return await ctx.queue_activity(double, value)

    async with asyncio.TaskGroup() as group:
        branch = group.create_task(slow_branch())
        step = group.create_task(step_of(ctx, value))
    try:
        await ctx.wait_for_signal("never", timeout=0.2)
        late = 0
    except TimeoutError:
        late = 1
    flaked = await ctx.queue_activity(flaky, value, 2)
    return {"branch": branch.result(), "step": step.result(), "late": late, "flaky": flaked}


async def step_of(ctx: WorkflowContext, value: int) -> int:
    return await ctx.step(triple, value)


@workflow
async def failing(ctx: WorkflowContext) -> str:
    try:
        await ctx.queue_activity(always_fails)
    except ActivityError as error:
        cause = error.__cause__
        raise RuntimeError(f"gave up: {cause}") from error
    return "not reached"


@workflow
async def canceled(ctx: WorkflowContext) -> None:
    handle = ctx.queue_activity(until_canceled)
    try:
        await handle
    except asyncio.CancelledError:
        await asyncio.shield(ctx.queue_activity(double, 21))
        raise

"""What workflow code asks for is typed by what it passes."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any, assert_type
from uuid import UUID

from sched_sdk import ActivityHandle, RetryPolicy, Signal, WorkflowContext, activity, workflow


@activity
async def send_email(to: str, copies: int = 1) -> str:
    return to * copies


@activity
def add(left: int, *more: int) -> int:
    return left + sum(more)


class Mailer:
    @activity
    async def send(self, to: str) -> bool:
        return bool(to)


def measure(text: str) -> int:
    return len(text)


async def fetch(url: str) -> bytes:
    return url.encode()


@workflow
async def activities(ctx: WorkflowContext) -> None:
    assert_type(ctx.queue_activity(send_email, "a"), ActivityHandle[str])
    assert_type(await ctx.queue_activity(send_email, "a"), str)
    assert_type(await ctx.queue_activity(send_email, "a", 2), str)
    assert_type(await ctx.queue_activity(add, 1), int)
    assert_type(await ctx.queue_activity(add, 1, 2, 3), int)
    assert_type(await ctx.queue_activity(Mailer().send, "a"), bool)
    assert_type(await ctx.queue_activity("by_name", 1, "x", result_type=list[int]), list[int])
    assert_type(await ctx.queue_activity("by_name", 1, "x"), Any)
    await ctx.queue_activity(
        send_email,
        "a",
        retry=RetryPolicy(maximum_attempts=1),
        start_to_close=timedelta(seconds=3),
        schedule_to_close=60,
        schedule_to_start=1.5,
        heartbeat_timeout=2,
        task_queue="mail",
        summary="to a",
    )
    both = await asyncio.gather(ctx.queue_activity(send_email, "a"), ctx.queue_activity(add, 1))
    assert_type(both, tuple[str, int])
    async with asyncio.timeout(3):
        assert_type(await asyncio.wait_for(ctx.queue_activity(add, 1), 3), int)

    await ctx.queue_activity(send_email)  # expect-error
    await ctx.queue_activity(send_email, 3)  # expect-error
    await ctx.queue_activity(send_email, "a", "b")  # expect-error
    await ctx.queue_activity(send_email, "a", 1, 2)  # expect-error
    await ctx.queue_activity(add, "1")  # expect-error
    await ctx.queue_activity(Mailer().send, 3)  # expect-error
    await ctx.queue_activity(send_email, "a", start_to_close="1m")  # expect-error
    await ctx.queue_activity(send_email, "a", tries=3)  # expect-error
    await ctx.queue_activity(3)  # expect-error
    wrong: int = await ctx.queue_activity(send_email, "a")  # expect-error
    del wrong


@workflow
async def steps(ctx: WorkflowContext) -> None:
    assert_type(await ctx.step(measure, "a"), int)
    assert_type(await ctx.step(fetch, "a", retry=RetryPolicy(), timeout=3, name="get"), bytes)
    assert_type(await ctx.step(lambda: "a"), str)
    both = await asyncio.gather(ctx.step(measure, "a"), ctx.step(fetch, "b"))
    assert_type(both, tuple[int, bytes])
    await ctx.step(measure)  # expect-error
    await ctx.step(measure, 3)  # expect-error
    await ctx.step(fetch, "a", "b")  # expect-error
    await ctx.step("by_name")  # expect-error


@workflow
async def waiting(ctx: WorkflowContext) -> None:
    await ctx.sleep(2)
    await ctx.sleep(timedelta(days=30))
    assert_type(await ctx.wait_for_signal("approve", type=bool), Signal[bool])
    assert_type((await ctx.wait_for_signal(type=int, timeout=3)).payload, int)
    assert_type((await ctx.wait_for_signal()).payload, Any)
    await ctx.wait_for(lambda: True, timeout=timedelta(seconds=1))
    assert_type(ctx.now(), datetime)
    assert_type(ctx.uuid4(), UUID)
    assert_type(ctx.random.random(), float)
    assert_type(ctx.info.workflow_id, str)
    ctx.logger.info("waiting")

    @ctx.on_signal("add")
    def on_add(amount: int) -> None:
        del amount

    assert_type(on_add(3), None)

    @ctx.query
    def total(scale: int = 1) -> float:
        return scale * 2.0

    @ctx.query("other")
    def _other() -> str:
        return "other"

    assert_type(total(3), float)
    assert_type(_other(), str)
    ctx.set_details("adding")
    ctx.set_details(3)  # expect-error
    ctx.query(3)  # expect-error
    await ctx.sleep("2s")  # expect-error
    await ctx.wait_for_signal(3)  # expect-error
    await ctx.wait_for(True)  # expect-error
    ctx.info.workflow_id = "x"  # expect-error
    ctx.nothing()  # expect-error

"""`@workflow` and `@activity` give back the function's own type."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from sched_sdk import RetryPolicy, WorkflowContext, activity, workflow


@activity
async def send_email(to: str, copies: int = 1) -> str:
    return to * copies


@activity(retry=RetryPolicy(maximum_attempts=3), start_to_close=timedelta(minutes=1))
def add(left: int, right: int) -> int:
    return left + right


@activity(start_to_close=30, heartbeat_timeout=2.5, name="other", task_queue="mail")
def in_seconds() -> None:
    return None


class Mailer:
    @activity
    async def send(self, to: str) -> bool:
        return bool(to)


@workflow
async def monthly_report(ctx: WorkflowContext, month: str, copies: int = 1) -> str:
    await ctx.sleep(2)
    return month * copies


@workflow(name="Nightly")
async def nightly(ctx: WorkflowContext) -> None:
    await ctx.sleep(timedelta(hours=8))


async def as_plain_functions(ctx: WorkflowContext) -> None:
    assert_type(await send_email(to="a", copies=2), str)
    assert_type(add(1, right=2), int)
    assert_type(await Mailer().send("a"), bool)
    assert_type(await monthly_report(ctx, month="2026-11"), str)
    await send_email(to=3)  # expect-error
    add(1)  # expect-error
    await monthly_report("2026-11")  # expect-error


RetryPolicy(initial_interval=0.5, maximum_interval=timedelta(minutes=1))
RetryPolicy(non_retryable_error_types=[ValueError, "CardDeclined"])
RetryPolicy(initial_interval="1s")  # expect-error
RetryPolicy(non_retryable_error_types=[3])  # expect-error
RetryPolicy(maximum_tries=3)  # expect-error


@workflow  # expect-error
def not_async(ctx: WorkflowContext) -> None:
    ctx.now()


@workflow  # expect-error
async def without_context(month: str) -> str:
    return month


@workflow(title="x")  # expect-error
async def unknown_option(ctx: WorkflowContext) -> None:
    ctx.now()


@activity(start_to_close="1m")  # expect-error
def duration_as_text() -> None:
    return None


@activity(retry=3)  # expect-error
def retry_as_number() -> None:
    return None

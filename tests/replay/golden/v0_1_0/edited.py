"""Edits of the recorded code that part from it, one of each kind. What replay must
say of each stands in `reports`."""

from __future__ import annotations

import asyncio
from typing import Any

from sched_sdk import ActivityError, WorkflowContext, workflow
from tests.replay.golden.v0_1_0 import activities as do


@workflow(name="GoesOn")
async def another_activity(ctx: WorkflowContext, number: str) -> None:
    await ctx.queue_activity(do.ship, number)


@workflow(name="GoesOn")
async def step_left_out(ctx: WorkflowContext, number: str) -> None:
    await ctx.queue_activity(do.charge, number, 1)
    await ctx.wait_for_signal("one")
    await ctx.sleep(0.01)


@workflow(name="GoesOn")
async def timer_left_out(ctx: WorkflowContext, number: str) -> list[Any]:
    done: list[Any] = [await ctx.queue_activity(do.charge, number, 1)]
    done.append(await ctx.step(do.draw, number))
    done.append((await ctx.wait_for_signal("one")).payload)
    done.append((await ctx.wait_for_signal("two")).payload)
    return done


@workflow(name="GoesOn")
async def raises(ctx: WorkflowContext, number: str) -> None:
    drawn = await ctx.queue_activity(do.charge, number, 1)
    raise ValueError(f"{drawn} is no number")


@workflow(name="GoesOn")
async def returns_early(ctx: WorkflowContext, number: str) -> str:
    await ctx.queue_activity(do.charge, number, 1)
    await ctx.step(do.draw, number)
    return "early"


@workflow(name="Fails")
async def does_not_fail(ctx: WorkflowContext, number: str) -> None:
    ctx.queue_activity(do.ship, number)
    try:
        await ctx.queue_activity(do.refuse, number)
    except ActivityError:
        await ctx.queue_activity(do.charge, number, 1)


@workflow(name="Together")
async def one_more(ctx: WorkflowContext, number: str) -> None:
    await asyncio.gather(
        ctx.queue_activity(do.refuse, number),
        ctx.sleep(0.01),
        ctx.step(do.draw, number),
        ctx.queue_activity(do.ship, number),
        return_exceptions=True,
    )


@workflow(name="Canceled")
async def forgets_to_clean_up(ctx: WorkflowContext, where: str) -> None:
    await ctx.queue_activity(do.charge, where, 1)
    await ctx.wait_for_signal("never")


@workflow(name="Patched")
async def patch_forgotten(ctx: WorkflowContext, number: str) -> str:
    await ctx.queue_activity(do.charge, number, 1)
    await ctx.wait_for_signal("go")
    return number


@workflow(name="Signals")
async def another_signal(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("other", timeout=60)


EDITS = {
    "another-activity": ("open", another_activity),
    "step-left-out": ("open", step_left_out),
    "timer-left-out": ("reset", timer_left_out),
    "raises": ("forked", raises),
    "returns-early": ("terminated", returns_early),
    "does-not-fail": ("fails", does_not_fail),
    "one-more": ("together", one_more),
    "forgets-to-clean-up": ("canceled-waiting", forgets_to_clean_up),
    "patch-forgotten": ("patched", patch_forgotten),
    "another-signal": ("signals", another_signal),
}
"""By the name of the report: the history, and the code."""

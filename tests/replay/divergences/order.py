"""The code that was recorded. The variants are edits of this file."""

import asyncio

from sched_sdk import WorkflowContext, activity, workflow


@activity
async def charge(number: str, cents: int) -> str:
    return f"receipt-{number}"


@activity
async def print_label(number: str) -> str:
    return f"label-{number}"


@activity
async def ship(number: str, weight: int) -> None: ...


@activity
async def audit(number: str) -> None: ...


def reserve(number: str) -> int:
    return 3


@workflow(name="Order")
async def order(ctx: WorkflowContext, number: str, cents: int) -> str:
    stock = await ctx.step(reserve, number)
    receipt, label = await asyncio.gather(
        ctx.queue_activity(charge, number, cents),
        ctx.queue_activity(print_label, number),
    )
    await ctx.sleep(0.01)
    packed = await ctx.wait_for_signal("packed", type=int)
    await ctx.queue_activity(ship, number, packed.payload)
    return f"{receipt} {label} {stock}"

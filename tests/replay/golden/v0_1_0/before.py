"""What `workflows.Patched` was before it was changed, and what `workflows.Deprecated`
was while runs on the old path were left."""

from __future__ import annotations

from sched_sdk import WorkflowContext, workflow
from tests.replay.golden.v0_1_0 import activities as do


@workflow(name="Patched")
async def patched(ctx: WorkflowContext, number: str) -> str:
    await ctx.queue_activity(do.charge, number, 1)
    await ctx.wait_for_signal("go")
    return number


@workflow(name="Deprecated")
async def deprecated(ctx: WorkflowContext, number: str) -> str:
    if ctx.patched("parcels"):
        await ctx.queue_activity(do.ship, number)
    return number


WORKFLOWS = [patched, deprecated]

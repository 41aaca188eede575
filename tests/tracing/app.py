"""Workflows for workers that are killed; they leave marks in the folder MARKS."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from sched_sdk import WorkflowContext, activity, workflow

MARKS = Path(os.environ["MARKS"])


@activity
async def first() -> None:
    """Done at once."""


@activity
async def second() -> None:
    """Done at once."""


@activity
async def deadly() -> None:
    """Ends only if it is not the first time that it is run."""
    mark = MARKS / "deadly"
    if not mark.exists():
        mark.touch()
        await asyncio.Event().wait()


@workflow
async def goes_on(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(first)
    await ctx.wait_for_signal("go")
    await ctx.queue_activity(second)


@workflow
async def survives(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(deadly)

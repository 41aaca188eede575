"""The workflows: those of the simulator, and some that live long enough to see much.

Steps answer with their own name and a value; so their results can be told apart.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sched_sdk import WorkflowContext, activity, activity_context, workflow
from tests.sim import results, workflows
from tests.sim.ledger import ledger
from tests.sim.workflows import PATIENT, double, step_triple


@activity(retry=PATIENT, heartbeat_timeout=timedelta(seconds=3))
async def walk(steps: int) -> int:
    """Goes on where the attempt before was when it was heard last."""
    ledger().activity_began()
    done = activity_context().last_heartbeat_details or 0
    while done < steps:
        await asyncio.sleep(0.2)
        done += 1
        activity_context().heartbeat(done)
    return int(done)


@workflow
async def walks(ctx: WorkflowContext, n: int) -> int:
    return await ctx.queue_activity(walk, 4 * n)


@workflow
async def naps(ctx: WorkflowContext, n: int) -> int:
    total = 0
    for i in range(n):
        await ctx.sleep(0.5 + i % 3)
        total += await ctx.queue_activity(double, i)
    return total


@workflow
async def tree(ctx: WorkflowContext, n: int) -> int:
    """Branches inside branches, each with steps and an activity."""

    async def branch(name: str, depth: int) -> int:
        _, value = await ctx.step(step_triple, ctx.info.run_id, name, depth, "")
        if not depth:
            return value + await ctx.queue_activity(double, len(name))
        async with asyncio.TaskGroup() as group:
            below = [group.create_task(branch(f"{name}{i}", depth - 1)) for i in range(2)]
        return value + sum(task.result() for task in below)

    return await branch("t", min(n, 4))


def _tree(name_length: int, depth: int) -> int:
    if not depth:
        return 2 * name_length
    return 3 * depth + 2 * _tree(name_length + 1, depth - 1)


@workflow
async def asked(ctx: WorkflowContext, n: int) -> list[int]:
    """Whoever asks behind an acknowledged signal is told of it, whatever the code does."""
    received: list[int] = []

    @ctx.query
    def so_far() -> list[int]:
        return received

    @ctx.on_signal("item")
    def take(value: int) -> None:
        received.append(value)

    for i in range(n):
        await ctx.wait_for(lambda: len(received) > i)  # noqa: B023 - asked before i goes on
        await ctx.queue_activity(double, i)
    return received


OWN: list[Any] = [walks, naps, tree, asked]
# Its attempts have 2 ms to spare: a loaded machine would try for ever.
_TOO_FINE = {"late_results"}

WORKFLOWS = [entry for entry in workflows.WORKFLOWS if entry.__name__ not in _TOO_FINE] + OWN
BEFORE = [entry for entry in workflows.BEFORE if entry.__name__ not in _TOO_FINE] + OWN
ACTIVITIES = [*workflows.ACTIVITIES, walk]
BY_NAME: dict[str, Any] = {function.__name__: function for function in WORKFLOWS}

EXPECTED = results.EXPECTED | {
    "walks": lambda job, run: ("COMPLETED", 4 * job.n),
    "naps": lambda job, run: ("COMPLETED", sum(2 * i for i in range(job.n))),
    "tree": lambda job, run: ("COMPLETED", _tree(1, min(job.n, 4))),
    "asked": lambda job, run: ("COMPLETED", list(range(job.n))),
}

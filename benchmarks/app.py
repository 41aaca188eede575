"""The workflows that the benchmarks run."""

from __future__ import annotations

from sched_sdk import WorkflowContext, activity, workflow


async def greet(name: str) -> str:
    return f"hello {name}"


@activity
async def greet_activity(name: str) -> str:
    return f"hello {name}"


@workflow
async def hello(ctx: WorkflowContext, name: str) -> str:
    return await ctx.step(greet, name)


@workflow
async def hello_activity(ctx: WorkflowContext, name: str) -> str:
    return await ctx.queue_activity(greet_activity, name)


@workflow
async def many_steps(ctx: WorkflowContext, count: int) -> str:
    result = ""
    for i in range(count):
        result = await ctx.step(greet, str(i))
    return result


@workflow
async def sleeper(ctx: WorkflowContext, seconds: float) -> None:
    await ctx.sleep(seconds)


@workflow
async def wait_and_return(ctx: WorkflowContext) -> int:
    signal = await ctx.wait_for_signal("value", type=int)
    return signal.payload

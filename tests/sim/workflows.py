"""Workflows of every shape, whose results can be said beforehand.

Activities and steps write in the ledger. A parameter `n` says how large.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sched_sdk import RetryPolicy, WorkflowContext, workflow
from sched_sdk.errors import ActivityError
from tests.sim.activities import (
    ACTIVITIES,
    EMPTY_QUEUE,
    PATIENT,
    always_fails,
    double,
    elsewhere,
    fails_late,
    falls_silent,
    flaky,
    just_in_time,
    once,
    outlives_workers,
    plain_double,
    report_dispatch,
    step_flaky,
    step_plain,
    step_triple,
    too_slow,
    until_canceled,
)
from tests.sim.ledger import ledger

__all__ = ["ACTIVITIES", "BY_NAME", "PATIENT", "WORKFLOWS", "double", "step_triple", "workflows_of"]


@workflow
async def sequential(ctx: WorkflowContext, n: int) -> int:
    total = 0
    for i in range(n):
        total += await ctx.queue_activity(plain_double if i % 3 == 2 else double, i)
    return total


@workflow
async def steps(ctx: WorkflowContext, n: int) -> int:
    total, before, run_id = 0, "", ctx.info.run_id
    for i in range(n):
        before, value = await ctx.step(step_triple, run_id, f"s{i}", i, before)
        total += value
    return total


@workflow
async def gathered_steps(ctx: WorkflowContext, n: int) -> int:
    run_id = ctx.info.run_id
    values = await asyncio.gather(
        *(ctx.step(step_triple, run_id, f"g{i}", i, "") for i in range(n)),
        *(ctx.step(step_plain, run_id, f"p{i}", i) for i in range(n)),
    )
    return sum(value for _, value in values)


@workflow
async def fan_out(ctx: WorkflowContext, n: int) -> list[int]:
    handles = [ctx.queue_activity(double, i) for i in range(n)]
    return list(await asyncio.gather(*handles))


@workflow
async def same_instant(ctx: WorkflowContext, n: int) -> list[int]:
    """Timers that are due at one instant or shortly after each other, some of them
    given up before; several times."""
    woken: list[int] = []

    async def sleeper(number: int) -> None:
        await ctx.sleep(0.5 + (0.0, 0.004, 0.02, 0.3)[number % 4])
        woken.append(number)

    for _ in range(3):
        woken.clear()
        sleepers = [asyncio.create_task(sleeper(i)) for i in range(n)]
        await ctx.sleep(0.2)
        for number in range(0, n, 3):
            sleepers[number].cancel()
        await asyncio.gather(*sleepers, return_exceptions=True)
    return sorted(woken)


@workflow
async def collects(ctx: WorkflowContext, n: int) -> list[int]:
    received: list[int] = []
    while len(received) < n:
        signal = await ctx.wait_for_signal("item", type=int)
        received.append(signal.payload)
        if signal.payload % 3 == 0:
            name = f"c{len(received)}"
            await ctx.step(step_triple, ctx.info.run_id, name, signal.payload, "")
    return received


@workflow
async def closes_while_signaled(ctx: WorkflowContext, n: int) -> list[int]:
    """Every signal that is acknowledged is in the result, however late it comes."""
    received: list[int] = []

    @ctx.on_signal("item")
    def keep(value: int) -> None:
        received.append(value)

    for i in range(n):
        await ctx.step(step_triple, ctx.info.run_id, f"k{i}", i, "")
    await ctx.sleep(0.05)
    return received


@workflow
async def mixed(ctx: WorkflowContext, n: int) -> dict[str, int]:
    async def slow_branch() -> int:
        await asyncio.sleep(0.4)
        return await ctx.queue_activity(double, n)

    async with asyncio.TaskGroup() as group:
        branch = group.create_task(slow_branch())
        step = group.create_task(_step(ctx, n))
    try:
        await ctx.wait_for_signal("never", timeout=0.2)
        late = 0
    except TimeoutError:
        late = 1
    flaked = await ctx.queue_activity(flaky, n, 2)
    return {"branch": branch.result(), "step": step.result(), "late": late, "flaky": flaked}


async def _step(ctx: WorkflowContext, n: int) -> int:
    _, value = await ctx.step(step_triple, ctx.info.run_id, "m", n, "")
    return value


@workflow
async def group_fails(ctx: WorkflowContext, n: int) -> str:
    """One of a TaskGroup fails; the others are canceled and clean up, shielded."""
    cleaned: list[int] = []

    async def patient(number: int) -> None:
        try:
            await ctx.sleep(60)
        except asyncio.CancelledError:
            await asyncio.shield(ctx.queue_activity(double, number))
            cleaned.append(number)
            raise

    try:
        async with asyncio.TaskGroup() as group:
            for number in range(n):
                group.create_task(patient(number))
            group.create_task(_raise_later(ctx))
    except* RuntimeError:
        pass
    return f"cleaned {sorted(cleaned)}"


async def _raise_later(ctx: WorkflowContext) -> None:
    await ctx.sleep(0.1)
    raise RuntimeError("on purpose")


@workflow
async def failing(ctx: WorkflowContext, n: int) -> str:
    try:
        await ctx.queue_activity(always_fails)
    except ActivityError as error:
        raise RuntimeError(f"gave up: {error.__cause__}") from error
    return "not reached"


@workflow
async def time_limits(ctx: WorkflowContext, n: int) -> list[str]:
    """Each kind of timeout of an activity."""
    handles = [
        ctx.queue_activity(too_slow),
        ctx.queue_activity(falls_silent),
        ctx.queue_activity(double, 1, task_queue=EMPTY_QUEUE, schedule_to_start=0.4),
        ctx.queue_activity(double, 1, task_queue=EMPTY_QUEUE, schedule_to_close=0.6),
    ]
    outcomes = await asyncio.gather(*handles, return_exceptions=True)
    return [type(outcome).__name__ for outcome in outcomes]


@workflow
async def at_most_once(ctx: WorkflowContext, n: int) -> str:
    try:
        return f"value {await ctx.queue_activity(once, n)}"
    except ActivityError:
        return "lost"


@workflow
async def canceled(ctx: WorkflowContext, n: int) -> None:
    handle = ctx.queue_activity(until_canceled)
    try:
        await handle
    except asyncio.CancelledError:
        await asyncio.shield(ctx.queue_activity(double, 21))
        raise


@workflow
async def canceled_anywhere(ctx: WorkflowContext, n: int) -> int:
    """Asked to stop at any moment of anything."""
    total = 0
    for i in range(n):
        total += await ctx.queue_activity(double, i)
        _, value = await ctx.step(step_triple, ctx.info.run_id, f"a{i}", i, "")
        total += value
        await ctx.sleep(0.05)
        pending = ctx.queue_activity(flaky, i, 1)
        if i % 2:
            total += await pending
    return total


@workflow
async def ignores_cancel(ctx: WorkflowContext, n: int) -> str:
    try:
        await ctx.sleep(3600)
    except asyncio.CancelledError:
        await ctx.sleep(0.1)
    return "went on"


@workflow
async def waits_for_ever(ctx: WorkflowContext, n: int) -> None:
    await ctx.wait_for_signal("never")


@workflow
async def completed_elsewhere(ctx: WorkflowContext, n: int) -> int:
    return await ctx.queue_activity(elsewhere)


@workflow
async def dispatches(ctx: WorkflowContext, n: int) -> list[str]:
    """Some attempts are so long that a worker may lose them and come back with
    their results while others run them."""
    pauses = (0.02, 1.3, 3.0)
    handles = [ctx.queue_activity(report_dispatch, pauses[i % 3]) for i in range(n)]
    return list(await asyncio.gather(*handles))


@workflow
async def failing_steps(ctx: WorkflowContext, n: int) -> int:
    """Tried again here, and, where the wait is long, behind a durable timer."""
    total, run_id = 0, ctx.info.run_id
    for name, pause in (("soon", 0.05), ("later", 4.0)):
        retry = RetryPolicy(initial_interval=timedelta(seconds=pause), maximum_attempts=0)
        _, value = await ctx.step(step_flaky, run_id, name, n, 2, retry=retry)
        total += value
    return total


@workflow
async def late_results(ctx: WorkflowContext, n: int) -> list[int]:
    handles = [ctx.queue_activity(just_in_time, i) for i in range(n)]
    return list(await asyncio.gather(*handles))


@workflow(name="versioned")
async def versioned_before(ctx: WorkflowContext, n: int) -> int:
    total = 0
    for i in range(n):
        await ctx.sleep(0.2)
        total += await ctx.queue_activity(double, i)
    return total


@workflow(name="versioned")
async def versioned(ctx: WorkflowContext, n: int) -> int:
    """The same, as a later version of the code does it."""
    total = 0
    answers: set[bool] = set()
    for i in range(n):
        await ctx.sleep(0.2)
        answers.add(ctx.patched("steps"))
        if len(answers) > 1:
            raise RuntimeError("the answer to a patch did not hold")
        if True in answers:
            _, value = await ctx.step(step_plain, ctx.info.run_id, f"v{i}", i)
            total += value - i
        else:
            total += await ctx.queue_activity(double, i)
    return total


@workflow(name="versioned")
async def versioned_behind(ctx: WorkflowContext, n: int) -> int:
    """And the one after that, which leaves the old path away."""
    total = 0
    for i in range(n):
        await ctx.sleep(0.2)
        ctx.deprecate_patch("steps")
        _, value = await ctx.step(step_plain, ctx.info.run_id, f"v{i}", i)
        total += value - i
    return total


@workflow
async def retried_late(ctx: WorkflowContext, n: int) -> list[int]:
    return list(await asyncio.gather(*(ctx.queue_activity(fails_late, i) for i in range(n))))


@workflow
async def worn_out(ctx: WorkflowContext, n: int) -> int:
    """Activities that no worker lives long enough for, until they are given up."""
    handles = [
        ctx.queue_activity(outlives_workers, schedule_to_close=3.0 + 0.4 * i) for i in range(n)
    ]
    outcomes = await asyncio.gather(*handles, return_exceptions=True)
    return sum(isinstance(outcome, ActivityError) for outcome in outcomes)


@workflow
async def tells(ctx: WorkflowContext, n: int) -> list[str]:
    """Can be asked what it knows, at every moment: `a0` from an activity, `s0` from
    a step, `g7` from a signal."""
    known: list[str] = []

    @ctx.query("known")
    def tell() -> list[str]:
        ledger().told(ctx.info.run_id, known)
        return known

    @ctx.query("meddles")
    def meddle() -> str:
        known.append("m0")  # it is refused, and this must be forgotten, too
        ctx.queue_activity(double, 1)
        return "not reached"

    @ctx.query("meddles in silence")
    def meddle_in_silence() -> str:
        known.append("m1")
        ctx.set_details("changed by a query")
        return "not told"

    @ctx.on_signal("item")
    def keep(value: int) -> None:
        known.append(f"g{value}")

    for i in range(n):
        ctx.set_details(f"at {i}")
        await ctx.queue_activity(double, i)
        known.append(f"a{i}")
        for k in (2 * i, 2 * i + 1):
            name, _ = await ctx.step(step_triple, ctx.info.run_id, f"s{k}", k, "")
            known.append(name)
        await ctx.sleep(0.2)
    ctx.set_details(f"all {n}" if n % 2 else "")
    return [fact for fact in known if not fact.startswith("g")]


@workflow
async def queued_and_left(ctx: WorkflowContext, n: int) -> str:
    """Queued activities are done before the workflow closes."""
    for i in range(n):
        ctx.queue_activity(double, i)
    return "left"


WORKFLOWS: list[Any] = [
    sequential,
    steps,
    gathered_steps,
    fan_out,
    same_instant,
    collects,
    closes_while_signaled,
    mixed,
    group_fails,
    failing,
    time_limits,
    at_most_once,
    canceled,
    canceled_anywhere,
    ignores_cancel,
    waits_for_ever,
    completed_elsewhere,
    dispatches,
    failing_steps,
    late_results,
    versioned,
    retried_late,
    worn_out,
    tells,
    queued_and_left,
]
BY_NAME: dict[str, Any] = {function.__name__: function for function in WORKFLOWS}
# What a worker of the version before has.
BEFORE = [versioned_before if entry is versioned else entry for entry in WORKFLOWS]
_BEHIND = [versioned_behind if entry is versioned else entry for entry in WORKFLOWS]


def workflows_of(versions: str) -> tuple[list[Any], list[Any]]:
    """The newest version of everything, and the one before, of which workers
    differ: nothing is patched yet, or nothing will be any more."""
    if versions == "deprecate":
        return _BEHIND, WORKFLOWS
    return WORKFLOWS, BEFORE if versions == "patch" else WORKFLOWS

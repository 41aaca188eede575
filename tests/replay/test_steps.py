"""Steps: recorded when they end, never run again once recorded."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from typing import Any

import pytest

from sched_sdk import ApplicationError, RetryPolicy, WorkflowContext, activity, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.run import WorkflowRun
from sched_sdk._replay.steps import StepOutcome
from tests.replay.engine import (
    SECOND,
    Choices,
    Engine,
    RandomChoices,
    Worker,
    assert_replays,
    run_to_end,
)


@dataclasses.dataclass
class Point:
    x: int


@activity
async def work(number: int) -> int:
    return number


def same(number: int) -> int:
    return number


def make_point(x: int) -> Point:
    return Point(x)


def test_result_is_decoded_live_and_in_replay() -> None:
    seen: list[Any] = []

    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        seen.append(await ctx.step(make_point, 3))
        seen.append(await ctx.step(lambda: (1, 2)))
        seen.append(await ctx.step(functools.partial(make_point, 4)))
        seen.append(await ctx.step(str.upper, "a", name="shout"))

    engine = run_to_end(flow)
    assert seen == [Point(3), [1, 2], Point(4), "A"] * 2
    steps = [e.step_completed for e in engine.history if e.HasField("step_completed")]
    assert [step.name for step in steps] == ["make_point", "<lambda>", "make_point", "shout"]
    assert [step.seq for step in steps] == [1, 2, 3, 4]


def test_step_call_carries_what_the_worker_needs() -> None:
    policy = RetryPolicy(maximum_attempts=2)

    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        await ctx.step(make_point, 1, retry=policy, timeout=5)

    engine = Engine()
    engine.start()
    run = WorkflowRun(workflow_definition_of(flow))
    run.open_task(engine.history, 1)
    (call,) = run.take_steps()
    assert (call.seq, call.name, call.fn, call.args) == (1, "make_point", make_point, (1,))
    assert call.retry is policy
    assert call.timeout is not None
    assert call.timeout.total_seconds() == 5
    assert call.attempt == 1
    assert call.call_site.startswith("tests/replay/test_steps.py:")
    assert run.take_steps() == []
    assert run.take_commands() == []
    run.evict()


def test_failure_raises_and_is_not_lost() -> None:
    def bad() -> int:
        raise ValueError("broken")

    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        try:
            await ctx.step(bad)
        except ApplicationError as error:
            return [error.type, error.message]
        raise AssertionError

    engine = run_to_end(flow)
    assert engine.result() == ["ValueError", "broken"]


def test_outcome_stands_between_what_was_done_before_and_after() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        before = ctx.queue_activity(work, 1)
        value = await ctx.step(lambda: 5)
        ctx.queue_activity(work, value)
        await before

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    assert engine.names()[1:] == [
        "workflow_task_completed",
        "activity_scheduled",
        "step_completed",
        "activity_scheduled",
    ]
    worker.forget()


def test_each_sequential_step_waits_for_the_acknowledgement() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> int:
        return sum([await ctx.step(same, n) for n in range(4)])

    engine = run_to_end(flow)
    assert engine.result() == 6
    assert engine.names() == [
        "workflow_started",
        *["workflow_task_completed", "step_completed"] * 4,
        "workflow_completed",
    ]
    more = [e.workflow_task_completed.more for e in engine.history[1::2][:4]]
    assert more == [True, True, True, False]


def test_concurrent_steps_share_a_commit() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[int]:
        return await asyncio.gather(*(ctx.step(same, n) for n in range(5)))

    engine = run_to_end(flow)
    assert engine.result() == [0, 1, 2, 3, 4]
    assert engine.names().count("workflow_task_completed") == 1


def test_long_backoff_becomes_a_timer_and_attempts_carry_on() -> None:
    attempts: list[int] = []

    def flaky() -> str:
        if len(attempts) < 3:
            raise OSError("not yet")
        return "done"

    def after(call: Any) -> int:
        attempts.append(call.attempt)
        return 90 * SECOND

    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        return await ctx.step(flaky)

    engine = run_to_end(flow, retry_after_us=after)
    assert engine.result() == "done"
    assert attempts == [1, 2, 3]
    steps = [
        (e.event_id, getattr(e, str(e.WhichOneof("attributes"))))
        for e in engine.history
        if e.HasField("step_failed") or e.HasField("step_completed")
    ]
    assert [(s.seq, s.attempt) for _, s in steps] == [(1, 1), (3, 2), (5, 3), (7, 4)]
    timers = [e.timer_scheduled for e in engine.history if e.HasField("timer_scheduled")]
    assert [(t.seq, t.duration_us // SECOND) for t in timers] == [(2, 90), (4, 90), (6, 90)]


def test_giving_up_during_the_backoff_cancels_its_timer() -> None:
    def bad() -> str:
        raise OSError("down")

    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        try:
            async with asyncio.timeout(10):
                return await ctx.step(bad)
        except TimeoutError:
            return "gave up"

    engine = run_to_end(flow, retry_after_us=lambda _: 60 * SECOND)
    assert engine.result() == "gave up"
    assert engine.names().count("timer_canceled") == 1


def test_abandoned_step_is_not_wanted_and_leaves_no_trace() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        step = ctx.step(lambda: 1)
        await ctx.wait_for_signal()
        step.cancel()
        return await ctx.step(lambda: "other", name="other")

    engine = Engine()
    engine.start()
    engine.signal("go")
    run = WorkflowRun(workflow_definition_of(flow))
    run.open_task(engine.history[:1], 1)
    (first,) = run.take_steps()
    assert run.wants_step(first.seq)
    run.open_task(engine.history, 2)
    assert not run.wants_step(first.seq)
    run.hand_step(StepOutcome(first.seq, 1))
    assert run.take_commands() == []
    (other,) = run.take_steps()
    assert other.seq == 2
    run.evict()


def test_step_cancelled_in_the_same_activation_takes_no_number() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> int:
        ctx.step(lambda: 1).cancel()
        return await ctx.step(lambda: 2)

    engine = run_to_end(flow)
    assert engine.result() == 2
    assert engine.history[2].step_completed.seq == 1


def test_steps_nobody_waits_for_are_dropped_at_the_end() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> str:
        ctx.step(lambda: 1)
        return "done"

    engine = run_to_end(flow)
    assert engine.result() == "done"
    assert "step_completed" not in engine.names()


def test_close_that_is_refused_defers_the_step() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        got: list[Any] = []

        @ctx.on_signal("note")
        def note(value: int) -> None:
            got.append(value)

        await ctx.queue_activity(work, 1)
        got.append(await ctx.step(lambda: "stepped"))
        return got

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    engine.complete_activity(1, 1)
    worker._while_out = lambda: (
        None if "signal_received" in engine.names() else engine.signal("note", 5)
    )
    worker.work()
    assert engine.refusals == 1
    assert not engine.closed
    assert engine.history[-1].step_completed.deferred
    worker._while_out = lambda: None
    worker.work()
    assert engine.result() == [5, "stepped"]
    assert_replays(flow, engine)
    worker.forget()


@pytest.mark.parametrize("seed", range(25))
def test_many_steps_end_in_any_order(seed: int) -> None:
    calls: dict[int, int] = {}

    def count(number: int) -> int:
        calls[number] = calls.get(number, 0) + 1
        return number

    @workflow
    async def flow(ctx: WorkflowContext) -> list[int]:
        async def chain(start: int) -> int:
            total = 0
            for number in range(start, start + 3):
                total += await ctx.step(count, number)
            return total

        return await asyncio.gather(*(chain(10 * n) for n in range(3)))

    class NoCrash(RandomChoices):
        def crash(self) -> bool:
            return False

    choices: Choices = NoCrash(seed)
    engine = run_to_end(flow, choices=choices)
    assert engine.result() == [3, 33, 63]
    # Nothing was lost, so nothing ran twice.
    assert set(calls.values()) == {1}


def test_a_name_has_a_limited_length() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        await ctx.step(same, 1, name="s" * 256)

    failure = run_to_end(flow).history[-1].workflow_failed.failure
    assert failure.type == "DefinitionError"
    assert "has 256 characters; the limit is 255" in failure.message

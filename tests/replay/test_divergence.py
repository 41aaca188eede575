"""Code that does not do what its history says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sched_sdk import NonDeterminismError, SchedError, WorkflowContext, activity, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from sched_sdk._replay.run import WorkflowRun
from tests.replay.engine import Engine, Event, run_to_end

Body = Callable[[WorkflowContext], Any]

# What the message says of commands that end the workflow.
WORDS = {
    "completion of the workflow": "the code ends the workflow",
    "failure of the workflow (ValueErr": "the code raises ValueError: now it fails (tests/replay/",
}


@activity
async def send_email(to: str) -> None: ...


@activity
async def send_letter(to: str) -> None: ...


def record(body: Body) -> Engine:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await body(ctx)

    return run_to_end(flow)


def replay(body: Body, engine: Engine) -> NonDeterminismError:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await body(ctx)

    result = replay_history(workflow_definition_of(flow), engine.history)
    assert result.divergence is not None
    return result.divergence


async def email(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(send_email, "a")


async def letter(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(send_letter, "a")


async def email_and_letter(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(send_email, "a")
    await ctx.queue_activity(send_letter, "a")


async def both_at_once(ctx: WorkflowContext) -> None:
    letter = ctx.queue_activity(send_letter, "a")
    await ctx.queue_activity(send_email, "a")
    await letter


async def two_emails(ctx: WorkflowContext) -> None:
    await asyncio.gather(ctx.queue_activity(send_email, "a"), ctx.queue_activity(send_email, "b"))


async def timer(ctx: WorkflowContext) -> None:
    await ctx.sleep(2)


async def nothing(ctx: WorkflowContext) -> None:
    return


async def step(ctx: WorkflowContext) -> None:
    await ctx.step(lambda: 1, name="charge")


async def other_step(ctx: WorkflowContext) -> None:
    await ctx.step(lambda: 1, name="refund")


async def step_then_email(ctx: WorkflowContext) -> None:
    await ctx.step(lambda: 1, name="charge")
    await ctx.queue_activity(send_email, "a")


async def failing(ctx: WorkflowContext) -> None:
    raise ValueError("now it fails")


@pytest.mark.parametrize(
    ("recorded", "current", "event_id", "expected", "actual"),
    [
        (email, letter, 3, "activity send_email", "activity send_letter"),
        (email, timer, 3, "activity send_email", "timer 2 s"),
        (timer, email, 3, "timer 2 s", "activity send_email"),
        (email, nothing, 3, "activity send_email", "completion of the workflow"),
        (nothing, email, 3, "completion of the workflow", "activity send_email"),
        (nothing, failing, 3, "completion of the workflow", "failure of the workflow (ValueErr"),
        (email, email_and_letter, 6, "completion of the workflow", "activity send_letter"),
        (email_and_letter, email, 6, "activity send_letter", "completion of the workflow"),
        (both_at_once, email, 3, "activity send_letter", "activity send_email"),
        (step, other_step, 3, "step charge", "step refund"),
        (step, email, 3, "step charge", "activity send_email"),
        (step, nothing, 3, "step charge", "completion of the workflow"),
        (email, step, 3, "activity send_email", ""),
        (step, step_then_email, 4, "completion of the workflow", "activity send_email"),
        (step_then_email, step, 4, "activity send_email", "completion of the workflow"),
        (email, two_emails, 4, "nothing more", "activity send_email"),
    ],
)
def test_both_sides_are_named(
    recorded: Body, current: Body, event_id: int, expected: str, actual: str
) -> None:
    error = replay(current, record(recorded))
    assert error.event_id == event_id
    assert error.expected == expected
    assert error.actual.startswith(actual)
    assert str(event_id) in str(error)
    if error.expected != "nothing more":
        assert expected in str(error)
    assert WORDS.get(actual, actual) in str(error)


def test_both_call_sites_are_named() -> None:
    error = replay(letter, record(email))
    here = "tests/replay/test_divergence.py"
    assert error.recorded_call_site == f"{here}:{email.__code__.co_firstlineno + 1}"
    assert error.current_call_site == f"{here}:{letter.__code__.co_firstlineno + 1}"
    assert error.recorded_call_site in str(error)
    assert error.current_call_site in str(error)


def test_code_that_waits_for_a_step_says_so() -> None:
    error = replay(step, record(email))
    assert "the code does nothing there; it waits for step charge (tests/replay/" in str(error)


def test_one_command_too_few_among_many() -> None:
    error = replay(email, record(two_emails))
    assert error.event_id == 4
    assert "the code does nothing there" in str(error)


def test_same_kind_and_name_with_another_number() -> None:
    async def renumbered(ctx: WorkflowContext) -> None:
        await ctx.step(lambda: 1, name="new")
        await ctx.queue_activity(send_email, "a")

    engine = record(step_then_email)
    # As if the step had been recorded under the next number.
    engine.history[2].step_completed.seq = 2
    error = replay(step_then_email, engine)
    assert error.expected == "step charge"
    assert "waits for step charge" in str(error)


def test_what_may_change() -> None:
    async def slower(ctx: WorkflowContext) -> None:
        await ctx.sleep(77)
        await ctx.queue_activity(send_email, "somebody else", task_queue="x", start_to_close=9)

    async def faster(ctx: WorkflowContext) -> None:
        await ctx.sleep(1)
        await ctx.queue_activity(send_email, "a")

    engine = record(faster)

    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await slower(ctx)

    assert replay_history(workflow_definition_of(flow), engine.history).divergence is None


def test_result_of_what_was_never_asked_for() -> None:
    engine = Engine()
    engine.start()
    engine.append("workflow_task_completed", seen=1)
    engine.append("activity_completed", seq=5)
    engine.append("workflow_task_completed", seen=3)

    async def waits(ctx: WorkflowContext) -> None:
        await ctx.wait_for_signal()

    error = replay(waits, engine)
    assert error.event_id == 3
    assert "the code asked for nothing with that number" in str(error)

    engine.history[2].Clear()
    engine.history[2].event_id = 3
    engine.history[2].type = Event(type=12).type  # type: ignore[arg-type]  # TIMER_FIRED
    engine.history[2].timer_fired.seq = 9
    assert replay(waits, engine).expected == "TimerFired of seq 9"


def test_live_result_of_what_was_never_asked_for() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await ctx.wait_for_signal()

    engine = Engine()
    engine.start()
    run = WorkflowRun(workflow_definition_of(flow))
    run.open_task(engine.history, 1)
    engine.append("activity_completed", seq=5)
    with pytest.raises(NonDeterminismError):
        run.open_task(engine.history, 2)
    run.evict()


def test_unknown_event_types() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await ctx.wait_for_signal()

    engine = Engine()
    engine.start()
    future = Event(event_id=2, type=99, may_ignore=True)  # type: ignore[arg-type]
    run = WorkflowRun(workflow_definition_of(flow))
    run.replay([*engine.history, future])
    run.evict()
    future.may_ignore = False
    run = WorkflowRun(workflow_definition_of(flow))
    with pytest.raises(SchedError, match="type 99, which this version of sched_sdk does not know"):
        run.replay([*engine.history, future])
    run.evict()

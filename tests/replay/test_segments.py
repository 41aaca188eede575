"""Segments: what a task saw, slices of any size, clock and base."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sched_sdk import WorkflowContext, activity, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._payloads import encode
from sched_sdk._replay.run import WorkflowRun
from sched_sdk._replay.steps import StepOutcome
from tests.replay.engine import (
    EPOCH_US,
    SECOND,
    Engine,
    RandomChoices,
    Worker,
    assert_replays,
    run_to_end,
)


@activity
async def work(number: int) -> int:
    return number


@workflow(name="Test")
async def mixed(ctx: WorkflowContext) -> list[Any]:
    log: list[Any] = []

    @ctx.on_signal("note")
    def note(value: int) -> None:
        log.append([value, ctx.now().isoformat()])

    for number in range(6):
        if number % 3 == 2:
            log.append(await ctx.step(abs, number))
        handles = [ctx.queue_activity(work, n) for n in range(3)]
        await ctx.sleep(number)
        log.append(await asyncio.gather(*handles))
        log.append([ctx.now().isoformat(), ctx.info.history_length])
    return log


def record() -> Engine:
    return run_to_end(mixed, activities=lambda name, args: args[0], choices=RandomChoices(5))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_slices_of_any_size(size: int) -> None:
    engine = record()
    run = WorkflowRun(workflow_definition_of(mixed))
    for start in range(0, len(engine.history), size):
        run.replay(engine.history[start : start + size])
    run.end_replay()
    assert run.closed
    assert run.base == engine.base
    run.evict()


COMMANDS = {
    "activity_scheduled": "schedule_activity",
    "timer_scheduled": "start_timer",
    "timer_canceled": "cancel_timer",
    "workflow_completed": "complete_workflow",
}


def test_from_every_segment_the_recorded_commands_come_again_live() -> None:
    engine = record()
    compared = 0
    for segment in [e for e in engine.history if e.HasField("workflow_task_completed")]:
        run = WorkflowRun(workflow_definition_of(mixed))
        run.replay(engine.history[: segment.event_id - 1])
        run.open_task([], segment.workflow_task_completed.seen)
        live = [(c.WhichOneof("command"), c.seq) for c in run.take_commands()]
        recorded = []
        for event in engine.history[segment.event_id :]:
            name = str(event.WhichOneof("attributes"))
            if name not in COMMANDS:  # an outcome of a step, or the segment is over
                break
            recorded.append((COMMANDS[name], getattr(getattr(event, name), "seq", 0)))
        assert live == recorded
        compared += len(recorded)
        run.evict()
    assert compared > 5


def test_open_task_skips_what_was_handed_in_before() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> list[Any]:
        return [(await ctx.wait_for_signal()).payload for _ in range(3)]

    engine = Engine()
    engine.start()
    engine.signal("s", 1)
    run = WorkflowRun(workflow_definition_of(flow))
    run.replay(engine.history)
    assert run.seen == 0
    run.open_task(engine.history, 2)
    assert run.seen == 2
    engine.signal("s", 2)
    run.open_task(engine.history, 3)
    run.open_task(engine.history, 3)
    assert run.take_commands() == []
    engine.signal("s", 3)
    # Known to the engine, but not yet part of the task.
    run.open_task(engine.history, 3)
    assert run.take_commands() == []
    run.open_task([], 4)
    assert run.closed
    (closing,) = run.take_commands()
    assert closing.complete_workflow.result.data == b"[1,2,3]"
    run.evict()


def test_clock_moves_with_events_and_acknowledgements_and_never_back() -> None:
    times: list[Any] = []

    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        for _ in range(3):
            times.append((ctx.now().timestamp(), asyncio.get_running_loop().time()))
            await ctx.step(lambda: 1)

    engine = Engine()
    engine.start()
    run = WorkflowRun(workflow_definition_of(flow))
    run.open_task(engine.history, 1)
    run.hand_step(StepOutcome(1, 1, result=encode(1)))
    run.acknowledge(2, EPOCH_US + 10 * SECOND)
    run.open_task([], 3)
    run.hand_step(StepOutcome(2, 1, result=encode(1)))
    run.acknowledge(4, EPOCH_US + 5 * SECOND)
    assert [round(t - EPOCH_US / SECOND) for t, _ in times] == [0, 0, 10]
    assert times[0][1] == 0
    assert run.base == 4
    run.evict()


def test_step_hands_its_outcome_before_later_events() -> None:
    """A signal that arrives while a step runs is delivered in the next task."""

    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> list[str]:
        log: list[str] = []

        @ctx.on_signal("note")
        def note() -> None:
            log.append("signal")

        for number in range(3):
            await ctx.step(lambda: 1)
            log.append(f"step {number}")
        return log

    engine = Engine()
    engine.start()
    worker = Worker(
        engine,
        flow,
        while_out=lambda: None if "signal_received" in engine.names() else engine.signal("note"),
    )
    worker.work()
    assert engine.result() == ["step 0", "signal", "step 1", "step 2"]
    assert_replays(flow, engine)
    worker.forget()


def test_outside_close_is_no_divergence() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        await ctx.queue_activity(work, 1)

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    engine.append("workflow_terminated", reason="enough")
    assert_replays(flow, engine)
    worker.forget()


def test_informational_events_do_not_reach_code() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> int:
        return await ctx.queue_activity(work, 1)

    engine = Engine()
    engine.start()
    engine.append("workflow_task_failed")
    worker = Worker(engine, flow)
    worker.work()
    engine.append("activity_retry_scheduled", seq=1)
    engine.append("workflow_task_failed")
    engine.complete_activity(1, 4)
    worker.work()
    assert engine.result() == 4
    assert_replays(flow, engine)
    worker.forget()


def test_waiting_names_the_places() -> None:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> None:
        async def helper() -> None:
            await ctx.wait_for_signal("go")

        asyncio.create_task(helper(), name="helper")  # noqa: RUF006 - the loop keeps it
        await ctx.sleep(10)

    engine = Engine()
    engine.start()
    run = WorkflowRun(workflow_definition_of(flow))
    run.open_task(engine.history, 1)
    waits = {wait.task: wait for wait in run.waiting()}
    line = flow.__code__.co_firstlineno
    assert waits["helper"].call_site == f"tests/replay/test_segments.py:{line + 3}"
    assert waits["helper"].function.endswith("helper")
    assert waits["workflow"].call_site == f"tests/replay/test_segments.py:{line + 6}"
    run.evict()

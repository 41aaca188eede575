"""Changing the code of running workflows: `ctx.patched` and `ctx.deprecate_patch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sched_sdk import NonDeterminismError, WorkflowContext, activity, workflow
from sched_sdk._definitions import workflow_definition_of
from sched_sdk._replay.replayer import replay_history
from sched_sdk.api.v1 import history_pb2
from tests.replay.engine import Engine, RandomChoices, Worker, run_to_end

Body = Callable[[WorkflowContext], Any]

PATCH = history_pb2.MarkerRecorded.KIND_PATCH
DEPRECATED = history_pb2.MarkerRecorded.KIND_DEPRECATED_PATCH


@activity
async def remind(to: str) -> None: ...


@activity
async def warn(to: str) -> None: ...


def as_workflow(body: Body) -> Callable[..., Any]:
    @workflow(name="Test")
    async def flow(ctx: WorkflowContext) -> Any:
        return await body(ctx)

    return flow


def work(body: Body, engine: Engine) -> None:
    """One workflow task, by a worker with this code that has nothing cached."""
    worker = Worker(engine, as_workflow(body))
    worker.work()
    worker.forget()


def divergence(body: Body, engine: Engine) -> NonDeterminismError | None:
    return replay_history(workflow_definition_of(as_workflow(body)), engine.history).divergence


async def old(ctx: WorkflowContext) -> str:
    await ctx.queue_activity(remind, "a")
    return "old"


async def patched(ctx: WorkflowContext) -> str:
    if ctx.patched("warn-first"):
        await ctx.queue_activity(warn, "a")
        await ctx.queue_activity(remind, "a")
        return "new"
    await ctx.queue_activity(remind, "a")
    return "old"


async def deprecated(ctx: WorkflowContext) -> str:
    ctx.deprecate_patch("warn-first")
    await ctx.queue_activity(warn, "a")
    await ctx.queue_activity(remind, "a")
    return "new"


async def new(ctx: WorkflowContext) -> str:
    await ctx.queue_activity(warn, "a")
    await ctx.queue_activity(remind, "a")
    return "new"


def markers(engine: Engine) -> list[tuple[int, str]]:
    recorded = [e.marker_recorded for e in engine.history if e.HasField("marker_recorded")]
    return [(marker.kind, marker.id) for marker in recorded]


def test_a_new_run_takes_the_new_path_and_records_it() -> None:
    engine = run_to_end(as_workflow(patched))

    assert engine.result() == "new"
    assert markers(engine) == [(PATCH, "warn-first")]
    marker = next(e.marker_recorded for e in engine.history if e.HasField("marker_recorded"))
    assert marker.call_site.startswith("tests/replay/test_patches.py:")


def test_a_run_from_before_the_patch_stays_on_the_old_path() -> None:
    engine = run_to_end(as_workflow(old))

    assert divergence(patched, engine) is None
    assert divergence(new, engine) is not None, "without the patch it would break"


def test_an_open_run_goes_on_where_it_was_before_the_patch() -> None:
    engine = Engine()
    engine.start()
    work(old, engine)
    engine.complete_activity(1)

    work(patched, engine)

    assert engine.result() == "old"
    assert markers(engine) == []


def test_an_open_run_that_has_not_come_to_the_patch_takes_it() -> None:
    async def before(ctx: WorkflowContext) -> str:
        await ctx.sleep(1)
        return await old(ctx)

    async def after(ctx: WorkflowContext) -> str:
        await ctx.sleep(1)
        return await patched(ctx)

    engine = Engine()
    engine.start()
    work(before, engine)
    engine.fire_timer(1)
    work(after, engine)

    assert markers(engine) == [(PATCH, "warn-first")]
    assert [a.name for a in engine.activities.values()] == ["warn"]


@pytest.mark.parametrize(
    ("recorded_by", "replayed_by", "agrees"),
    [
        (old, patched, True),
        (old, deprecated, False),
        (patched, patched, True),
        (patched, deprecated, True),
        (patched, new, False),
        (patched, old, False),
        (deprecated, deprecated, True),
        (deprecated, patched, True),
        (deprecated, new, True),
        (deprecated, old, False),
        (new, patched, False),
        (new, new, True),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_which_code_replays_which_history(
    recorded_by: Body, replayed_by: Body, agrees: bool
) -> None:
    engine = run_to_end(as_workflow(recorded_by))

    assert (divergence(replayed_by, engine) is None) == agrees


def test_code_that_asks_no_more_is_told_which_patch_it_left_out() -> None:
    engine = run_to_end(as_workflow(patched))

    error = divergence(new, engine)

    assert error is not None
    assert error.expected == "patch 'warn-first'"
    assert error.actual == "activity warn"
    assert error.recorded_call_site.startswith("tests/replay/test_patches.py:")


def test_a_loop_that_began_on_the_old_path_stays_on_it() -> None:
    async def loop(ctx: WorkflowContext) -> list[bool]:
        answers = []
        for _ in range(3):
            answers.append(ctx.patched("late"))
            await ctx.sleep(1)
        return answers

    async def loop_before(ctx: WorkflowContext) -> None:
        for _ in range(3):
            await ctx.sleep(1)

    engine = Engine()
    engine.start()
    work(loop_before, engine)
    engine.fire_timer(1)

    work(loop, engine)
    engine.fire_timer(2)
    work(loop, engine)
    engine.fire_timer(3)
    work(loop, engine)

    assert engine.result() == [False, False, False]
    assert markers(engine) == []


def test_a_patch_is_asked_many_times_and_recorded_once() -> None:
    async def often(ctx: WorkflowContext) -> list[bool]:
        answers = []
        for _ in range(3):
            answers.append(ctx.patched("p"))
            await ctx.sleep(1)
        ctx.deprecate_patch("p")
        return answers

    engine = run_to_end(as_workflow(often))

    assert engine.result() == [True, True, True]
    assert markers(engine) == [(PATCH, "p")]


def test_patches_between_steps_replay_whatever_the_worker_did() -> None:
    async def steps(ctx: WorkflowContext) -> list[bool]:
        answers = []
        for number in range(6):
            answers.append(ctx.patched(f"p{number % 4}"))
            await ctx.step(lambda: None, name=f"step-{number}")
        return answers

    for seed in range(40):
        engine = run_to_end(as_workflow(steps), choices=RandomChoices(seed))
        assert engine.result() == [True] * 6
        assert markers(engine) == [(PATCH, f"p{number}") for number in range(4)]


def test_a_refused_close_forgets_the_patch_behind_its_last_step() -> None:
    """The cut segment keeps its markers before the step, and their names."""

    async def body(ctx: WorkflowContext) -> tuple[bool, bool]:
        first = ctx.patched("first")
        await ctx.step(lambda: None, name="charge")
        return first, ctx.patched("second")

    engine = Engine()
    engine.start()
    signals = ["late"]

    def while_out() -> None:
        if signals and engine.base == 0:
            engine.signal(signals.pop())

    worker = Worker(engine, as_workflow(body), while_out=while_out)
    worker.work()
    assert engine.refusals == 1
    cut = next(e for e in engine.history if e.HasField("workflow_task_completed"))
    assert list(cut.workflow_task_completed.patches) == ["first"]

    worker.work()
    worker.forget()

    assert engine.result() == [True, True]
    assert markers(engine) == [(PATCH, "first"), (PATCH, "second")]
    assert divergence(body, engine) is None


def test_a_predicate_cannot_ask_for_a_patch() -> None:
    async def body(ctx: WorkflowContext) -> None:
        await ctx.wait_for(lambda: ctx.patched("p"))

    with pytest.raises(Exception, match="only look"):
        run_to_end(as_workflow(body)).result()


def test_both_questions_of_one_id_are_one() -> None:
    async def body(ctx: WorkflowContext) -> bool:
        ctx.deprecate_patch("p")
        return ctx.patched("p")

    engine = run_to_end(as_workflow(body))

    assert engine.result() is True
    assert markers(engine) == [(DEPRECATED, "p")]


def test_an_id_is_a_name_of_limited_length() -> None:
    async def long(ctx: WorkflowContext) -> None:
        ctx.patched("p" * 256)

    failure = run_to_end(as_workflow(long)).history[-1].workflow_failed.failure
    assert failure.type == "DefinitionError"
    assert "has 256 characters; the limit is 255" in failure.message

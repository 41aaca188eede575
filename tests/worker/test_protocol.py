"""What a worker says on its stream, frame by frame."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sched_sdk import (
    InvalidArgumentError,
    Worker,
    WorkflowContext,
    activity,
    activity_context,
    workflow,
)
from sched_sdk.api.v1 import history_pb2
from sched_sdk.api.v1.worker_service_pb2 import SegmentAck, WorkflowTask
from tests.worker.scripted_engine import ScriptedEngine, serving, signal
from tests.worker.waiting import until

begun: list[str] = []
gates: dict[str, asyncio.Event] = {}


@pytest.fixture(autouse=True)
def _gates() -> None:
    begun.clear()
    gates.clear()


def gate(name: str) -> asyncio.Event:
    return gates.setdefault(name, asyncio.Event())


async def step(name: str) -> str:
    begun.append(name)
    await gate(name).wait()
    return name


@workflow
async def in_turn(ctx: WorkflowContext) -> str:
    return await ctx.step(step, "a") + await ctx.step(step, "b")


@workflow
async def at_once(ctx: WorkflowContext) -> list[str]:
    return list(await asyncio.gather(*(ctx.step(step, name) for name in "abc")))


@workflow
async def beside(ctx: WorkflowContext) -> str:
    """A command while a step is running."""
    work = asyncio.ensure_future(ctx.step(step, "a"))
    await ctx.wait_for_signal("go")
    await ctx.sleep(60)
    return await work


@workflow
async def waits(ctx: WorkflowContext) -> Any:
    return (await ctx.wait_for_signal("go")).payload


@activity
async def works(name: str) -> str:
    return await step(name)


@activity
async def reports_then_fails(name: str) -> None:
    activity_context().heartbeat("first")
    activity_context().heartbeat("last")
    raise OSError("no")


def names(segment: Any) -> list[str]:
    return [command.WhichOneof("command") for command in segment.commands]


async def test_hello() -> None:
    async with serving(
        workflows=[waits, in_turn],
        activities=[works],
        task_queue="q",
        identity="me",
        build_id="b1",
        max_concurrent_activities=3,
        max_concurrent_workflow_tasks=4,
    ) as engine:
        await engine.until(lambda: engine.frames)
        hello = engine.frames[0].hello
    assert hello.session_id
    assert (hello.identity, hello.build_id, hello.task_queue) == ("me", "b1", "q")
    assert list(hello.workflow_types) == ["waits", "in_turn"]
    assert list(hello.activity_names) == ["works"]
    assert (hello.workflow_task_slots, hello.activity_slots) == (4, 3)
    assert hello.sdk.startswith("python/")


async def test_a_task_without_news_is_answered_with_an_empty_segment() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        segment = await engine.segment()
    assert not segment.commands
    assert not segment.more
    assert (segment.dispatch, segment.base, segment.seen) == (100, 0, 1)


async def test_no_step_starts_on_what_is_not_durable() -> None:
    gate("a").set()
    async with serving(workflows=[in_turn]) as engine:
        await engine.start_run("r", "in_turn")
        segment = await engine.segment()
        assert names(segment) == ["record_step"]
        assert segment.more
        # Another round trip: whatever could start would have started.
        await engine.push(segment_acks=[SegmentAck(run_id="r", segment_id=1)])
        await engine.give_activity("unknown", dispatch=1)
        await engine.until(lambda: any(frame.activity_reports for frame in engine.frames))
        assert begun == ["a"]
        base = await engine.acknowledge(segment)
        await until(lambda: begun == ["a", "b"])
        gate("b").set()
        last = await engine.segment(2)
    assert names(last) == ["record_step", "complete_workflow"]
    assert (last.base, last.seen, last.more) == (base, base + 1, False)


async def test_outcomes_that_come_together_share_a_segment() -> None:
    async with serving(workflows=[at_once]) as engine:
        await engine.start_run("r", "at_once")
        await until(lambda: len(begun) == 3)
        gate("a").set()
        gate("b").set()
        segment = await engine.segment()
        assert names(segment) == ["record_step", "record_step"]
        assert segment.more
        # While it is out, nothing is handed to the code.
        gate("c").set()
        await engine.acknowledge(segment)
        last = await engine.segment(2)
    assert names(last) == ["record_step", "complete_workflow"]
    assert [segment.segment_id for segment in engine.segments] == [
        segment.segment_id,
        last.segment_id,
    ]


async def test_commands_do_not_wait_for_steps() -> None:
    async with serving(workflows=[beside]) as engine:
        await engine.start_run("r", "beside")
        await until(lambda: begun == ["a"])
        assert engine.segments == []  # nothing to record, and the task is kept
        gate("a").set()
        segment = await engine.segment()
        assert names(segment) == ["record_step"]
        assert not segment.more  # no step runs any more; the signal opens the next task


async def test_signals_reach_a_run_that_keeps_its_task() -> None:
    gate("a").set()
    async with serving(workflows=[signalled]) as engine:
        await engine.start_run("r", "signalled")
        segment = await engine.segment()
        await engine.acknowledge(segment, events=[signal(4, "stop")])
        last = await engine.segment(2)
    assert names(last) == ["complete_workflow"]
    assert last.seen == 4


@workflow
async def signalled(ctx: WorkflowContext) -> str:
    stop = asyncio.ensure_future(ctx.wait_for_signal("stop"))
    await ctx.step(step, "a")
    work = asyncio.ensure_future(ctx.step(step, "b"))
    await asyncio.wait([stop, work], return_when=asyncio.FIRST_COMPLETED)
    return "stopped"


async def test_an_unacknowledged_segment_is_sent_again() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        segment = await engine.segment()
        await engine.restart()
        assert engine.frames[0].HasField("hello")
        assert list(engine.frames[0].segments) == [segment]


async def test_an_acknowledged_segment_is_not() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        await engine.acknowledge(await engine.segment())
        await engine.give_activity("unknown", dispatch=1)
        await engine.until(lambda: any(frame.activity_reports for frame in engine.frames))
        await engine.restart()
        assert not engine.frames[0].segments


async def test_retry_means_the_same_segment_again() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        segment = await engine.segment()
        await engine.acknowledge(segment, outcome=SegmentAck.OUTCOME_RETRY)
        assert await engine.segment(2) == segment


async def test_a_task_given_out_again_is_adopted() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        first = await engine.segment()
        await engine.task("r", dispatch=101, full_history=True)
        again = await engine.segment(2)
        assert again.dispatch == 101
        assert again.segment_id == first.segment_id
        # Late, and of no interest.
        await engine.task("r", dispatch=99, full_history=True)
        base = await engine.acknowledge(again)
        await engine.task("r", dispatch=102, base=base, events=[signal(3, "go", 5)])
        last = await engine.segment(3)
    assert names(last) == ["complete_workflow"]
    assert engine.history_requests == []


@pytest.mark.parametrize(
    "outcome",
    [SegmentAck.OUTCOME_STALE, SegmentAck.OUTCOME_CLOSE_REFUSED, SegmentAck.OUTCOME_INVALID],
)
async def test_a_refused_segment_drops_the_run(outcome: SegmentAck.Outcome.ValueType) -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        await engine.acknowledge(await engine.segment(), outcome=outcome)
        # The engine thinks otherwise: the worker reads what it no longer has.
        await engine.task("r", dispatch=101, base=0, events=[signal(2, "go", 5)])
        segment = await engine.segment(2)
    assert names(segment) == ["complete_workflow"]
    (request,) = engine.history_requests
    assert (request.run_id, request.after_event_id, request.last_event_id) == ("r", 0, 2)


async def test_a_run_that_stands_elsewhere_is_built_anew() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        segment = await engine.segment()
        # Another worker answered first, with a segment of its own.
        completed = history_pb2.WorkflowTaskCompleted(seen=1, segment_id=3)
        other = history_pb2.HistoryEvent(
            event_id=2, time_us=2_000, type=2, workflow_task_completed=completed
        )
        await engine.task(
            "r", dispatch=101, base=2, full_history=True, events=[other, signal(3, "go", 5)]
        )
        again = await engine.segment(2)
    assert again.base == 2
    assert again.segment_id != segment.segment_id
    assert names(again) == ["complete_workflow"]


async def test_further_pages_are_read() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        base = await engine.acknowledge(await engine.segment())
        started, completed = engine.histories["r"]
        engine.histories["s"] = [started, completed, signal(3, "go", 5)]
        task = WorkflowTask(
            run_id="s",
            dispatch=300,
            base=base,
            last_event_id=3,
            full_history=True,
            events=[started.SerializeToString()],
            more_pages=True,
        )
        await engine.push(workflow_tasks=[task])
        segment = await engine.segment(2)
    assert names(segment) == ["complete_workflow"]
    (request,) = engine.history_requests
    assert (request.after_event_id, request.last_event_id) == (1, 3)


async def test_a_history_that_is_cut_off_is_read_anew() -> None:
    """With the stream the connection is closed, and with it the call that reads: what
    was replayed so far is a part, and must not be gone on with."""
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "waits")
        base = await engine.acknowledge(await engine.segment())
        started, completed = engine.histories["r"]
        history = [started, completed, signal(3, "other"), signal(4, "go", 5)]
        engine.histories["s"] = history
        task = WorkflowTask(
            run_id="s",
            dispatch=300,
            base=base,
            last_event_id=4,
            full_history=True,
            events=[event.SerializeToString() for event in history[:3]],
            more_pages=True,
        )
        engine.gives_histories.clear()
        await engine.push(workflow_tasks=[task])
        await engine.until(lambda: engine.history_requests)
        streams = engine.streams
        engine.end_stream()
        await engine.until(lambda: engine.streams > streams)
        engine.gives_histories.set()
        task.dispatch = 301
        task.events[:] = [event.SerializeToString() for event in history]
        task.more_pages = False
        await engine.push(workflow_tasks=[task])
        segment = await engine.segment(2)
    assert (segment.dispatch, names(segment)) == (301, ["complete_workflow"])


async def test_a_failed_task_is_told_until_it_is_durable() -> None:
    async with serving(workflows=[waits]) as engine:
        await engine.start_run("r", "nobody")
        await engine.until(lambda: any(frame.task_failures for frame in engine.frames))
        await engine.restart()
        (failure,) = engine.frames[0].task_failures
        assert failure.dispatch == 100
        assert "no workflow named 'nobody'; it has waits" in failure.failure.message
        await engine.push(task_failure_acks=[100])
        await engine.give_activity("unknown", dispatch=1)
        await engine.until(lambda: any(frame.activity_reports for frame in engine.frames))
        await engine.restart()
        assert not engine.frames[0].task_failures


async def test_running_activities_are_claimed_and_reports_repeated() -> None:
    async with serving(activities=[works]) as engine:
        await engine.give_activity("works", "a", dispatch=1)
        await engine.give_activity("works", "b", dispatch=2)
        await until(lambda: begun == ["a", "b"])
        gate("a").set()
        await engine.until(lambda: any(frame.activity_reports for frame in engine.frames))
        await engine.restart()
        first = engine.frames[0]
        assert {claim.dispatch for claim in first.hello.running_activities} == {1, 2}
        assert [report.dispatch for report in first.activity_reports] == [1]
        await engine.push(activity_acks=[1], lost_activities=[2])
        await engine.give_activity("unknown", dispatch=3)
        await engine.until(lambda: len(engine.frames) > 1)
        await engine.restart()
        assert {claim.dispatch for claim in engine.frames[0].hello.running_activities} == {3}


@activity
async def makes_much(_: None) -> str:
    return "x" * (2 * 1024 * 1024 - 10)


async def test_more_than_fits_into_the_first_frame_follows() -> None:
    async with serving(activities=[makes_much]) as engine:
        for dispatch in range(1, 13):
            await engine.give_activity("makes_much", None, dispatch=dispatch)
        await engine.until(lambda: sum(len(f.activity_reports) for f in engine.frames) == 12)
        await engine.restart()
        await engine.until(lambda: sum(len(f.activity_reports) for f in engine.frames) == 12)
        assert len(engine.frames[0].hello.running_activities) == 12
        assert max(frame.ByteSize() for frame in engine.frames) < 5 * 1024 * 1024


async def test_the_last_heartbeat_comes_before_the_failure() -> None:
    async with serving(activities=[reports_then_fails]) as engine:
        await engine.give_activity("reports_then_fails", "x", dispatch=1)
        await engine.until(lambda: any(frame.activity_reports for frame in engine.frames))
    frames = [frame for frame in engine.frames if frame.heartbeats or frame.activity_reports]
    assert frames[-1].activity_reports
    assert not frames[-1].heartbeats
    said = [heartbeat.details.data for frame in frames for heartbeat in frame.heartbeats]
    assert said == [b'"first"', b'"last"']


async def test_tasks_that_take_long_are_renewed() -> None:
    engine = ScriptedEngine()
    engine.task_timeout_us = 150_000
    async with engine, Worker(engine.address, workflows=[in_turn], graceful_shutdown=0) as worker:
        await worker.ready()
        await engine.start_run("r", "in_turn")
        await engine.until(lambda: sum(100 in frame.renewals for frame in engine.frames) >= 2)


async def test_an_idle_worker_is_heard() -> None:
    engine = ScriptedEngine()
    engine.task_timeout_us = 150_000
    async with engine, Worker(engine.address, workflows=[in_turn], graceful_shutdown=0) as worker:
        await worker.ready()
        await engine.until(lambda: len(engine.frames) >= 3)


async def test_runs_over_the_limit_are_evicted() -> None:
    async with serving(workflows=[waits], max_cached_workflows=1) as engine:
        for number, run_id in enumerate(("r1", "r2"), start=1):
            await engine.start_run(run_id, "waits")
            await engine.acknowledge(await engine.segment(number))
        await engine.until(lambda: any(frame.evicted_run_ids for frame in engine.frames))
    evicted = [run_id for frame in engine.frames for run_id in frame.evicted_run_ids]
    assert evicted == ["r1"]


async def test_draining_hands_new_tasks_back() -> None:
    async with ScriptedEngine() as engine:
        worker = Worker(engine.address, workflows=[waits], activities=[works])
        async with worker:
            await worker.ready()
            await engine.give_activity("works", "a", dispatch=1)
            await until(lambda: begun == ["a"])
            stopping = asyncio.create_task(worker.stop())
            await engine.until(lambda: any(frame.drain for frame in engine.frames))
            await engine.start_run("r", "waits")
            await engine.give_activity("works", "b", dispatch=2)
            await engine.until(
                lambda: {100, 2} <= {d for frame in engine.frames for d in frame.returned}
            )
            gate("a").set()
            await engine.until(lambda: any(frame.activity_reports for frame in engine.frames))
            assert not stopping.done()
            await engine.push(activity_acks=[1])
            await stopping
    assert begun == ["a"]


async def test_a_leader_of_the_past_is_not_obeyed() -> None:
    async with serving(activities=[works]) as engine:
        await engine.stop()
        engine.epoch = 6
        await engine.start()
        await engine.until(lambda: engine.streams >= 3)
        await engine.stop()
        engine.epoch = 8
        engine.frames.clear()
        await engine.start()
        await engine.until(lambda: engine.frames)
        await engine.give_activity("works", "a", dispatch=1)
        await until(lambda: begun == ["a"])


async def test_an_engine_that_refuses_the_worker_ends_it() -> None:
    async with ScriptedEngine() as engine:
        engine.refusal = "the task queue's name is too long"
        with pytest.raises(InvalidArgumentError, match="too long"):
            await Worker(engine.address, workflows=[waits]).run()

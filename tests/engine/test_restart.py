"""An engine that dies: the next one goes on from the rows alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_sdk.api.v1 import workflow_service_pb2 as client_pb
from sched_server.cache import SLICE_EVENTS
from sched_server.errors import Unavailable

from .harness import (
    BOOM,
    RESULT,
    Engines,
    activity_report,
    claim,
    complete,
    event_names,
    schedule,
    sleep,
    step,
    unavailable,
    within,
)

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTED = pb.SegmentAck.OUTCOME_ACCEPTED
STALE = pb.SegmentAck.OUTCOME_STALE


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    return Engines(tmp_path / "sched.db", activity_grace_s=0.2)


async def test_tasks_that_waited_are_handed_out_in_order(engines: Engines) -> None:
    async with engines.running() as engine:
        for number in range(5):
            await engine.start(f"wf-{number}")
        await engine.kill()

    async with engines.running() as engine:
        worker = engine.worker(workflow_task_slots=1)
        seen = []
        for _ in range(5):
            task = await worker.task()
            seen.append(task.workflow_id)
            await worker.close(task)

        assert seen == [f"wf-{number}" for number in range(5)]


async def test_dispatch_numbers_grow_over_restarts(engines: Engines) -> None:
    async with engines.running() as engine:
        await engine.start()
        old = await engine.worker("w").task()
        await engine.kill()

    async with engines.running() as engine:
        new = await engine.worker("w").task()

        assert new.dispatch > old.dispatch
        assert new.dispatch >> 32 == engine.group.epoch


async def test_a_segment_that_the_dead_engine_never_took_is_taken(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        task = await worker.task()
        segment = worker.segment(task, step(1), complete())
        await engine.kill()

    async with engines.running() as engine:
        worker = engine.worker("w", first=pb.WorkerFrame(segments=[segment]))

        ack = await within(worker.acks.get())

        assert ack.outcome == ACCEPTED
        assert (await engine.result()).status == common_pb2.WORKFLOW_STATUS_COMPLETED


async def test_a_segment_that_the_dead_engine_took_is_not_repeated(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        segment = worker.segment(await worker.task(), step(1), more=True)
        first = await worker.answer_with(segment)
        await engine.kill()

    async with engines.running() as engine:
        worker = engine.worker("w", first=pb.WorkerFrame(segments=[segment]))

        ack = await within(worker.acks.get())

        assert (ack.outcome, ack.base, ack.time_us) == (ACCEPTED, first.base, first.time_us)
        assert (await engine.history()).count("StepCompleted") == 1
        last = pb.WorkflowSegment()
        last.CopyFrom(segment)
        final = worker.segment(
            pb.WorkflowTask(run_id=segment.run_id, dispatch=segment.dispatch),
            complete(),
            base=ack.base,
            seen=ack.last_event_id,
        )
        assert (await worker.answer_with(final)).outcome == ACCEPTED


async def test_a_close_that_the_dead_engine_took_is_acknowledged(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        segment = worker.segment(await worker.task(), complete())
        await worker.answer_with(segment)
        await engine.kill()

    async with engines.running() as engine:
        worker = engine.worker("w", first=pb.WorkerFrame(segments=[segment]))

        assert (await within(worker.acks.get())).outcome == ACCEPTED


async def test_a_failed_commit_does_not_end_the_grace_of_an_attempt(tmp_path: Path) -> None:
    """The time limit of an attempt has passed while nobody led. Its worker may report
    all the same; also if the run is read anew meanwhile, with its rows of timers."""
    engines = Engines(tmp_path / "sched.db", activity_grace_s=30.0)
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        await worker.answer(await worker.task(), schedule(1, start_to_close_us=60_000_000))
        task = await worker.activity()
        await engine.store.advance_clock(0, engine.group.epoch, 3_600_000_000)
        await engine.kill()

    async with engines.running() as engine:
        engine.store.faults.append(unavailable)
        with pytest.raises(Unavailable):
            await engine.signal()
        await engine.quiet()
        await engine.signal()
        report = pb.WorkerFrame(activity_reports=[activity_report(task, result=RESULT)])
        worker = engine.worker("w", first=report)

        assert await within(worker.activity_acks.get()) == task.dispatch
        assert "ActivityRetryScheduled" not in await engine.history(), "it did not time out"


async def test_timers_fire_though_their_engine_died(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        await worker.answer(await worker.task(), sleep(1, 0.05), sleep(2, 3_600))
        await engine.kill()

    async with engines.running() as engine:
        worker = engine.worker("w")

        assert event_names((await worker.task()).events)[-1] == "TimerFired"
        assert [timer.seq for timer in (await engine.describe()).timers] == [2]


async def test_retries_go_on_with_their_count(engines: Engines) -> None:
    policy = common_pb2.RetryPolicy(initial_interval_us=50_000, maximum_attempts=3)
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        await worker.answer(await worker.task(), schedule(1, retry=policy))
        task = await worker.activity()
        worker.report(task, failure=BOOM)
        await within(worker.activity_acks.get())
        await engine.kill()

    async with engines.running() as engine:
        worker = engine.worker("w")

        again = await worker.activity()

        assert again.attempt == 2
        assert (await engine.describe()).activities[0].last_failure.message == "boom"


async def test_a_running_activity_is_claimed_by_its_worker(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))
        task = await worker.activity()
        await engine.kill()

    async with engines.running() as engine:
        pending = (await engine.describe()).activities[0]
        assert pending.state == client_pb.PendingActivity.STATE_STARTED
        worker = engine.worker("w", running_activities=[claim(task)])
        await engine.quiet()

        assert worker.activities.empty()
        await worker.finish(task)


async def test_a_running_activity_whose_worker_is_gone_runs_again(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))
        task = await worker.activity()
        await engine.kill()

    async with engines.running() as engine:
        again = await engine.worker("other").activity()

        assert (again.attempt, again.dispatch > task.dispatch) == (1, True)


async def test_a_result_that_the_dead_engine_never_took_is_taken(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))
        task = await worker.activity()
        await engine.kill()

    report = pb.WorkerFrame(activity_reports=[activity_report(task, result=RESULT)])
    async with engines.running() as engine:
        worker = engine.worker("w", first=report)

        assert await within(worker.activity_acks.get()) == task.dispatch
        assert event_names((await worker.task()).events)[-1] == "ActivityCompleted"
        assert worker.activities.empty(), "it does not run again"


async def test_a_result_that_the_dead_engine_took_is_not_repeated(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))
        task = await worker.activity()
        await worker.finish(task)
        await engine.kill()

    report = pb.WorkerFrame(activity_reports=[activity_report(task, result=RESULT)])
    async with engines.running() as engine:
        worker = engine.worker("w", first=report)

        assert await within(worker.activity_acks.get()) == task.dispatch
        assert (await engine.history()).count("ActivityCompleted") == 1


async def test_request_ids_are_remembered(engines: Engines) -> None:
    async with engines.running() as engine:
        started = await engine.start(request_id="r")
        await engine.signal(request_id="s")
        await engine.kill()

    async with engines.running() as engine:
        again = await engine.start(request_id="r")
        await engine.signal(request_id="s")

        assert (again.run_id, again.started) == (started.run_id, False)
        assert (await engine.history()).count("SignalReceived") == 1


async def test_what_was_not_committed_when_the_engine_died_never_was(engines: Engines) -> None:
    async with engines.running() as engine:
        await engine.start()
        engine.store.gate = asyncio.Event()
        lost = asyncio.ensure_future(engine.signal(request_id="s"))
        await engine.quiet_reads()
        await engine.kill()
        lost.cancel()
        await asyncio.gather(lost, return_exceptions=True)

    async with engines.running() as engine:
        assert await engine.history() == ["WorkflowStarted"]
        await engine.signal(request_id="s")
        assert await engine.history() == ["WorkflowStarted", "SignalReceived"]


async def test_an_answer_to_a_task_given_out_anew_is_stale(engines: Engines) -> None:
    async with engines.running() as engine:
        worker = engine.worker("w")
        await engine.start()
        old = await worker.task()
        await engine.kill()

    async with engines.running() as engine:
        other = engine.worker("other")
        new = await other.task()
        late = engine.worker("w")

        assert (await late.close(old)).outcome == STALE
        assert (await other.close(new)).outcome == ACCEPTED


async def test_stopping_in_good_order_is_no_sign_against_the_task(tmp_path: Path) -> None:
    engines = Engines(tmp_path / "sched.db")
    for _ in range(3):
        async with engines.running() as engine:
            await engine.start(request_id="r")
            worker = engine.worker("w")
            task = await worker.task()
            worker.session.draining = True  # as the service does for every stream
            worker.disconnect()

    assert task.attempt == 1


async def test_a_run_with_more_unseen_signals_than_are_read_at_once(engines: Engines) -> None:
    signals = 2 * SLICE_EVENTS
    async with engines.running() as engine:
        await engine.start()
        worker = engine.worker()
        await worker.answer(await worker.task())
        await asyncio.gather(*[engine.signal() for _ in range(signals)])
        last = (await worker.task()).last_event_id
        await engine.kill()

    async with engines.running() as engine:
        task = await engine.worker().task()
        assert task.last_event_id >= last
        await engine.signal("wf", "one more")
        assert (await engine.history()).count("SignalReceived") == signals + 1

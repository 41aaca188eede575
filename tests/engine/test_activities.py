"""Activities between the engine and its workers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_sdk.api.v1 import workflow_service_pb2 as client_pb
from sched_server.core.values import TimerKind

from .harness import (
    BOOM,
    RESULT,
    LocalEngine,
    LocalWorker,
    activity_report,
    cancel_activity,
    claim,
    event_names,
    running,
    schedule,
    sleep,
    until,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

STARTED = client_pb.PendingActivity.STATE_STARTED
SCHEDULED = client_pb.PendingActivity.STATE_SCHEDULED
BACKOFF = client_pb.PendingActivity.STATE_BACKOFF


async def running_activity(
    engine: LocalEngine, worker: LocalWorker, command: pb.Command | None = None
) -> pb.ActivityTask:
    """A workflow has queued activity 1, and the worker has it."""
    await engine.start()
    await worker.answer(await worker.task(), command or schedule(1))
    return await worker.activity()


async def test_a_free_worker_has_the_activity_with_the_commit_that_queued_it() -> None:
    async with running() as engine:
        worker = engine.worker("w")
        await engine.start()
        command = schedule(1, input=[RESULT], start_to_close_us=5_000_000)
        commits = engine.store.commits
        await worker.answer(await worker.task(), command)

        task = await worker.activity()

        assert engine.store.commits <= commits + 1
        assert (task.workflow_id, task.workflow_type, task.seq) == ("wf", "Order", 1)
        assert (task.name, task.attempt, task.maximum_attempts) == ("send", 1, 5)
        assert list(task.input) == [RESULT]
        pending = (await engine.describe()).activities[0]
        assert (pending.state, pending.identity) == (STARTED, "w")


async def test_a_result_wakes_the_workflow() -> None:
    async with running() as engine:
        worker = engine.worker()
        task = await running_activity(engine, worker)

        await worker.finish(task)

        assert event_names((await worker.task()).events) == ["ActivityCompleted"]


async def test_a_report_sent_twice_is_acknowledged_twice_and_taken_once() -> None:
    async with running() as engine:
        worker = engine.worker()
        task = await running_activity(engine, worker)

        await worker.finish(task)
        await worker.finish(task)

        assert (await engine.history()).count("ActivityCompleted") == 1


async def test_a_failed_attempt_is_tried_again() -> None:
    async with running() as engine:
        worker = engine.worker()
        policy = common_pb2.RetryPolicy(initial_interval_us=20_000, maximum_attempts=2)
        task = await running_activity(engine, worker, schedule(1, retry=policy))

        worker.report(task, failure=BOOM)

        again = await worker.activity()
        assert (again.attempt, again.dispatch > task.dispatch) == (2, True)
        worker.report(again, failure=BOOM)
        assert "ActivityFailed" in event_names((await worker.task()).events)
        assert (await engine.history())[-2:] == ["ActivityRetryScheduled", "ActivityFailed"]


async def test_without_a_free_slot_activities_wait_in_order() -> None:
    async with running() as engine:
        worker = engine.worker(activity_slots=1)
        await engine.start()
        await worker.answer(
            await worker.task(), *[schedule(n, input=[RESULT]) for n in range(1, 6)]
        )
        seen = []
        for _ in range(5):
            task = await worker.activity()
            await engine.quiet()
            assert worker.activities.empty()
            seen.append(task.seq)
            await worker.finish(task)

        assert seen == [1, 2, 3, 4, 5]


async def test_an_activity_that_nobody_serves_waits_visibly() -> None:
    async with running() as engine:
        worker = engine.worker(activity_names=[])
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))

        pending = (await engine.describe()).activities[0]

        assert (pending.state, pending.has_worker) == (SCHEDULED, False)
        able = engine.worker(workflow_types=[])
        await able.finish(await able.activity())


async def test_schedule_to_start_ends_an_activity_that_nobody_takes() -> None:
    async with running() as engine:
        worker = engine.worker(activity_names=[])
        await engine.start()
        await worker.answer(await worker.task(), schedule(1, schedule_to_start_us=20_000))

        assert event_names((await worker.task()).events) == ["ActivityTimedOut"]


async def test_an_attempt_over_its_time_is_taken_from_its_worker() -> None:
    async with running() as engine:
        worker = engine.worker()
        once = common_pb2.RetryPolicy(maximum_attempts=1)
        command = schedule(1, start_to_close_us=20_000, retry=once)
        task = await running_activity(engine, worker, command)

        assert await within(worker.lost.get()) == task.dispatch
        assert event_names((await worker.task()).events) == ["ActivityTimedOut"]
        assert not worker.session.activities, "its slot is free"


# ---------------------------------------------------------------- lost workers


async def test_a_worker_that_comes_back_keeps_its_activities() -> None:
    async with running(activity_grace_s=5.0) as engine:
        worker = engine.worker("w")
        task = await running_activity(engine, worker)

        worker.disconnect()
        back = engine.worker("w", running_activities=[claim(task)])
        await engine.quiet()

        assert back.lost.empty()
        assert back.activities.empty()
        await back.finish(task)
        assert (await engine.history())[-1] == "ActivityCompleted"


async def test_an_activity_waits_for_the_grace_and_then_goes_to_another() -> None:
    async with running(activity_grace_s=0.1) as engine:
        first = engine.worker("first")
        task = await running_activity(engine, first)
        second = engine.worker("second")
        loop = asyncio.get_running_loop()
        broken = loop.time()

        first.disconnect()

        again = await second.activity()
        assert loop.time() - broken >= 0.1
        assert (again.attempt, again.dispatch > task.dispatch) == (1, True)
        back = engine.worker("first", running_activities=[claim(task)])
        assert await within(back.lost.get()) == task.dispatch


async def test_each_break_has_a_grace_of_its_own() -> None:
    async with running(activity_grace_s=0.6) as engine:
        worker = engine.worker("w")
        task = await running_activity(engine, worker)
        worker.disconnect()
        await asyncio.sleep(0.2)
        back = engine.worker("w", running_activities=[claim(task)])
        await back.started_serving()
        other = engine.worker("other")
        loop = asyncio.get_running_loop()
        broken = loop.time()

        back.disconnect()

        await other.activity()
        assert loop.time() - broken >= 0.6


async def test_what_a_returning_worker_does_not_claim_goes_to_others_at_once() -> None:
    async with running(activity_grace_s=30.0) as engine:
        worker = engine.worker("w")
        task = await running_activity(engine, worker)

        worker.disconnect()
        back = engine.worker("w")

        assert (await back.activity()).dispatch > task.dispatch


async def test_a_result_sent_with_the_reconnect_is_taken_and_nothing_runs_again() -> None:
    """Also where the run has to be read from the store first."""
    for cached in (10_000, 0):
        async with running(cached_executions=cached) as engine:
            worker = engine.worker("w")
            task = await running_activity(engine, worker)
            worker.disconnect()
            await engine.quiet()
            first = pb.WorkerFrame(activity_reports=[activity_report(task, result=RESULT)])

            back = engine.worker("w", first=first)

            assert await within(back.activity_acks.get()) == task.dispatch
            assert "ActivityCompleted" in event_names((await back.task()).events)
            assert back.activities.empty()


async def test_an_activity_handed_back_goes_to_another() -> None:
    async with running() as engine:
        first = engine.worker("first")
        task = await running_activity(engine, first)
        second = engine.worker("second")

        first.send(pb.WorkerFrame(drain=True, returned=[task.dispatch]))

        assert (await second.activity()).attempt == 1


async def test_what_is_handed_back_makes_room_for_what_waits() -> None:
    async with running() as engine:
        worker = engine.worker(activity_slots=1)
        await engine.start()
        await worker.answer(await worker.task(), schedule(1), schedule(2))
        first = await worker.activity()
        assert worker.activities.empty()

        worker.send(pb.WorkerFrame(returned=[first.dispatch]))

        assert (await worker.activity()).seq == 2


async def test_an_activity_that_may_run_once_fails_with_its_worker() -> None:
    async with running(activity_grace_s=0.01) as engine:
        first = engine.worker("first")
        once = common_pb2.RetryPolicy(maximum_attempts=1)
        await running_activity(engine, first, schedule(1, retry=once))
        second = engine.worker("second")

        first.disconnect()

        assert "ActivityFailed" in event_names((await second.task()).events)
        assert second.activities.empty()


# ---------------------------------------------------------------- heartbeats, cancellation


def heartbeat(task: pb.ActivityTask, data: bytes = b"") -> pb.WorkerFrame:
    beat = pb.ActivityHeartbeat(run_id=task.run_id, seq=task.seq, dispatch=task.dispatch)
    if data:
        beat.details.data = data
    return pb.WorkerFrame(heartbeats=[beat])


async def test_heartbeats_keep_an_attempt_and_their_details_are_seen() -> None:
    async with running() as engine:
        worker = engine.worker()
        task = await running_activity(engine, worker, schedule(1, heartbeat_timeout_us=60_000_000))
        for _ in range(4):
            worker.send(heartbeat(task, b"50"))
            engine.pass_time(40)
            await engine.quiet()

        pending = (await engine.describe()).activities[0]
        assert pending.heartbeat_details.data == b"50"
        assert worker.lost.empty()
        engine.pass_time(40)
        assert await within(worker.lost.get()) == task.dispatch, "and silence ends it"


async def test_a_cancel_request_reaches_the_running_activity() -> None:
    async with running() as engine:
        worker = engine.worker()
        task = await running_activity(engine, worker)
        await engine.signal()

        await worker.answer(await worker.task(), cancel_activity(1))

        assert await within(worker.cancels.get()) == task.dispatch
        worker.report(task, canceled=BOOM)
        assert event_names((await worker.task()).events) == ["ActivityCanceled"]


async def test_a_cancel_request_while_the_worker_was_away_is_told_when_it_is_back() -> None:
    async with running() as engine:
        away = engine.worker("away", workflow_types=[])
        coder = engine.worker("coder", activity_names=[])
        await engine.start()
        await coder.answer(await coder.task(), schedule(1))
        task = await away.activity()
        away.disconnect()
        await engine.signal()
        await coder.answer(await coder.task(), cancel_activity(1))

        back = engine.worker("away", workflow_types=[], running_activities=[claim(task)])

        assert await within(back.cancels.get()) == task.dispatch


async def test_an_activity_resolved_while_its_worker_was_away_is_lost_to_it() -> None:
    async with running() as engine:
        worker = engine.worker("w")
        once = common_pb2.RetryPolicy(maximum_attempts=1)
        command = schedule(1, start_to_close_us=20_000, retry=once)
        task = await running_activity(engine, worker, command)
        worker.disconnect()
        await until(lambda: not engine.group.timers._due)  # it has timed out

        back = engine.worker("w", running_activities=[claim(task)])

        assert await within(back.lost.get()) == task.dispatch
        assert not back.session.activities


async def test_the_end_of_the_run_stops_its_activities() -> None:
    async with running() as engine:
        worker = engine.worker()
        task = await running_activity(engine, worker)

        await engine.terminate()

        assert await within(worker.lost.get()) == task.dispatch
        worker.send(heartbeat(task))
        assert await within(worker.lost.get()) == task.dispatch


async def test_an_activity_that_goes_on_elsewhere_outlives_its_worker() -> None:
    async with running(activity_grace_s=0.01) as engine:
        worker = engine.worker("w")
        task = await running_activity(engine, worker)
        worker.report(task, detached=True)
        assert await within(worker.activity_acks.get()) == task.dispatch
        assert not worker.session.activities

        worker.disconnect()
        await asyncio.sleep(0.03)

        assert (await engine.describe()).activities[0].state == STARTED


async def test_late_heartbeats_are_waited_for_beyond_the_timer_window() -> None:
    """A long limit that a heartbeat has moved is still watched: its row is old
    by then, and behind the window of timers that are read."""
    async with running() as engine:
        worker = engine.worker()
        await running_activity(engine, worker, schedule(1, heartbeat_timeout_us=600_000_000))
        group = engine.group
        execution = await engine.engine.lookup.execution("wf")

        await group._fire(execution.run_key, TimerKind.HEARTBEAT, 1)

        due: Sequence[int] = list(group.timers._due.values())
        assert len(due) == 1
        assert due[0] > group.clock.now_us() + 500_000_000


async def test_a_sleeping_workflow_shows_its_timer() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task(), sleep(1, 60))

        timer = (await engine.describe()).timers[0]

        assert timer.seq == 1
        assert timer.due_time_us > engine.group.clock.now_us() + 50_000_000

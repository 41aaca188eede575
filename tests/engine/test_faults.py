"""A store that fails: nothing is promised that is not kept, and work goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_server import changes
from sched_server.core.inputs import FireTimer
from sched_server.core.state import ActivityPhase
from sched_server.core.values import TimerKind
from sched_server.errors import Unavailable
from sched_server.observability.distribution import Distribution
from sched_server.observability.measures import WAIT_S
from sched_server.store.port import StoreDataError, StoreUnavailableError
from sched_server.timers import TimerService

from .harness import (
    BOOM,
    RESULT,
    complete,
    event_names,
    running,
    schedule,
    sleep,
    step,
    unavailable,
    until,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_server.store.port import CommitBatch, TimerRow

    from .harness import LocalWorker

ACCEPTED = pb.SegmentAck.OUTCOME_ACCEPTED
RETRY = pb.SegmentAck.OUTCOME_RETRY


def refused(batch: CommitBatch) -> list[bool]:
    return [False] * len(batch.groups)


@pytest.fixture(params=[unavailable, refused], ids=["unavailable", "refused"])
def fault(request: pytest.FixtureRequest) -> object:
    return request.param


async def test_a_start_that_was_not_written_is_not_there(fault: object) -> None:
    async with running() as engine:
        engine.store.faults.append(fault)  # type: ignore[arg-type]
        with pytest.raises(Unavailable):
            await engine.start(request_id="r")

        again = await engine.start(request_id="r")

        assert again.started
        assert await engine.history() == ["WorkflowStarted"]


async def test_a_signal_that_was_not_written_may_be_sent_again(fault: object) -> None:
    async with running() as engine:
        await engine.start()
        engine.store.faults.append(fault)  # type: ignore[arg-type]
        with pytest.raises(Unavailable):
            await engine.signal(request_id="s")
        assert await engine.history() == ["WorkflowStarted"]

        await engine.signal(request_id="s")

        assert await engine.history() == ["WorkflowStarted", "SignalReceived"]


async def test_everything_decided_on_top_of_a_failed_commit_fails_with_it() -> None:
    async with running() as engine:
        await engine.start()
        engine.store.gate = asyncio.Event()
        engine.store.faults.append(unavailable)
        first = asyncio.ensure_future(engine.signal(name="one"))
        await until(lambda: engine.store.waiting == 1)
        second = asyncio.ensure_future(engine.signal(name="two"))
        await engine.quiet_reads()
        engine.store.gate.set()

        outcomes = await asyncio.gather(first, second, return_exceptions=True)

        assert [type(outcome) for outcome in outcomes] == [Unavailable, Unavailable]
        assert await engine.history() == ["WorkflowStarted"]


async def test_a_segment_that_was_not_written_is_asked_for_again(fault: object) -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        segment = worker.segment(await worker.task(), complete())
        engine.store.faults.append(fault)  # type: ignore[arg-type]

        ack = await worker.answer_with(segment)

        assert ack.outcome == RETRY
        again = await worker.task()
        assert event_names(again.events) == ["WorkflowStarted"]
        assert (await worker.close(again)).outcome == ACCEPTED
        assert (await engine.history()).count("WorkflowCompleted") == 1


async def test_a_worker_goes_on_in_its_slot_when_what_it_asked_for_was_not_written(
    fault: object,
) -> None:
    async with running() as engine:
        worker = engine.worker(workflow_task_slots=1)
        await engine.start("first")
        task = await worker.task()
        await engine.start("next")
        segment = worker.segment(task, step(1), more=True)
        engine.store.faults.append(fault)  # type: ignore[arg-type]
        assert (await worker.answer_with(segment)).outcome == RETRY
        await engine.quiet()

        ack = await worker.answer_with(segment)
        await engine.quiet()

        assert ack.outcome == ACCEPTED
        assert worker.tasks.empty(), "its only slot is taken"
        assert (await worker.answer(task, complete(), base=ack.base)).outcome == ACCEPTED
        assert (await worker.task()).workflow_id == "next"


async def test_a_worker_that_left_while_its_run_was_read_anew_has_nothing_any_more() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        segment = worker.segment(await worker.task(), step(1), more=True)
        engine.store.faults.append(unavailable)
        engine.store.reads_fail = 1
        assert (await worker.answer_with(segment)).outcome == RETRY
        worker.disconnect()

        again = await engine.worker().task()

        assert event_names(again.events)[0] == "WorkflowStarted"


async def test_an_activity_whose_assignment_was_not_written_is_offered_again(
    fault: object,
) -> None:
    async with running() as engine:
        worker = engine.worker(activity_slots=1)
        await engine.start()
        segment = worker.segment(await worker.task(), schedule(1))
        engine.store.faults.append(fault)  # type: ignore[arg-type]
        assert (await worker.answer_with(segment)).outcome == RETRY
        assert worker.activities.empty()

        await worker.answer(await worker.task(), schedule(1))

        await worker.finish(await worker.activity())


async def test_a_report_that_was_not_written_is_taken_nevertheless(fault: object) -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))
        task = await worker.activity()
        engine.store.faults.append(fault)  # type: ignore[arg-type]

        await worker.finish(task)

        assert (await engine.history()).count("ActivityCompleted") == 1
        assert "ActivityCompleted" in event_names((await worker.task()).events)


async def test_a_timer_whose_firing_was_not_written_fires_nevertheless(fault: object) -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task(), sleep(1, 0.03))
        engine.store.faults.append(fault)  # type: ignore[arg-type]

        task = await worker.task()

        assert "TimerFired" in event_names(task.events)
        assert (await engine.history()).count("TimerFired") == 1


async def test_one_bad_value_does_not_fail_its_neighbours() -> None:
    async with running() as engine:
        engine.store.gate = asyncio.Event()
        blocker = asyncio.ensure_future(engine.start("blocker"))
        await until(lambda: engine.store.waiting == 1)
        starts = {
            name: asyncio.ensure_future(engine.start(name))
            for name in ("a", "b", "bad", "c", "d", "e")
        }
        await engine.quiet_reads()

        def bad_value(batch: CommitBatch) -> None:
            for group in batch.groups:
                created = group.changes[0].created
                if created is not None and created.workflow_id == "bad":
                    engine.store.faults.append(bad_value)
                    raise StoreDataError("a value is bad")
            engine.store.faults.append(bad_value)

        engine.store.faults.append(bad_value)
        engine.store.gate.set()
        await blocker

        outcomes: dict[str, Any] = dict(
            zip(starts, await asyncio.gather(*starts.values(), return_exceptions=True), strict=True)
        )

        assert isinstance(outcomes.pop("bad"), StoreDataError)
        assert all(outcome.started for outcome in outcomes.values())
        engine.store.faults.clear()
        assert (await engine.start("bad")).started


async def test_a_backlog_that_cannot_be_read_is_handed_out_later() -> None:
    async with running(cached_executions=0) as engine:
        for number in range(3):
            await engine.start(f"wf-{number}")
        engine.store.reads_fail = 1

        worker = engine.worker(workflow_task_slots=1)

        seen = []
        for _ in range(3):
            task = await worker.task()
            seen.append(task.workflow_id)
            await worker.close(task)
        assert sorted(seen) == ["wf-0", "wf-1", "wf-2"]


@pytest.mark.parametrize("cached", [10_000, 0])
async def test_many_faults_lose_nothing_and_repeat_nothing(cached: int) -> None:
    """Every third commit fails; all workflows end, each with one history."""
    async with running(cached_executions=cached) as engine:
        turn = 0

        def every_third(batch: CommitBatch) -> None:
            nonlocal turn
            turn += 1
            engine.store.faults.append(every_third)
            if turn % 3 == 0:
                unavailable(batch)

        engine.store.faults.append(every_third)
        worker = engine.worker()
        names = [f"wf-{number}" for number in range(6)]
        for name in names:
            await insist(lambda name=name: engine.start(name, request_id=f"r-{name}"))  # type: ignore[misc]
        activities = asyncio.ensure_future(run_activities(worker))
        pending = set(names)
        while pending:
            task = await worker.task()
            if task.base == 0:
                await worker.answer(task, step(1), schedule(2))
            elif (await worker.close(task)).outcome == ACCEPTED:
                pending.discard(task.workflow_id)
        activities.cancel()
        engine.store.faults.clear()

        for name in names:
            assert await engine.history(name) == [
                "WorkflowStarted",
                "WorkflowTaskCompleted",
                "StepCompleted",
                "ActivityScheduled",
                "ActivityCompleted",
                "WorkflowTaskCompleted",
                "WorkflowCompleted",
            ]


async def insist(call: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await call()
        except Unavailable:
            continue
        return


async def run_activities(worker: LocalWorker) -> None:
    while True:
        worker.report(await worker.activities.get(), result=common_pb2.Payload())


# ---------------------------------------------------------------- nothing speculative leaves


async def test_nobody_sees_what_is_not_committed() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        changed = engine.group.watchers.follow(1)
        engine.store.gate = asyncio.Event()
        waiting_result = asyncio.ensure_future(engine.result())
        worker.send(pb.WorkerFrame(segments=[worker.segment(task, complete())]))
        await until(lambda: engine.store.waiting == 1)

        others = [
            asyncio.ensure_future(engine.describe()),
            asyncio.ensure_future(engine.signal()),
            asyncio.ensure_future(engine.start(request_id="other")),
        ]
        await engine.quiet_reads()

        assert worker.acks.empty()
        assert not changed.is_set()
        assert not waiting_result.done()
        assert not any(other.done() for other in others)
        row = await engine.store.read_run(1)
        assert row is not None
        assert row.status == 1
        engine.store.gate.set()
        outcomes: list[Any] = await asyncio.gather(*others, return_exceptions=True)
        assert outcomes[0].info.status == common_pb2.WORKFLOW_STATUS_COMPLETED
        assert "already ended" in str(outcomes[1])
        assert outcomes[2].started
        assert (await waiting_result).status == common_pb2.WORKFLOW_STATUS_COMPLETED


async def test_a_duplicate_waits_for_the_commit_of_the_first() -> None:
    async with running() as engine:
        engine.store.gate = asyncio.Event()
        engine.store.faults.append(unavailable)
        first = asyncio.ensure_future(engine.start(request_id="r"))
        await until(lambda: engine.store.waiting == 1)
        again = asyncio.ensure_future(engine.start(request_id="r"))
        await engine.quiet_reads()
        assert not again.done()

        engine.store.gate.set()

        with pytest.raises(Unavailable):
            await first
        # Nothing of the first is there, so this one has started the run.
        assert (await again).started


async def test_tasks_and_activities_are_pushed_only_behind_their_commit() -> None:
    async with running() as engine:
        worker = engine.worker()
        engine.store.gate = asyncio.Event()
        start = asyncio.ensure_future(engine.start())
        await until(lambda: engine.store.waiting == 1)
        await engine.quiet_reads()
        assert worker.tasks.empty()
        engine.store.gate.set()
        await start
        task = await worker.task()
        engine.store.gate = asyncio.Event()

        worker.send(pb.WorkerFrame(segments=[worker.segment(task, schedule(1))]))
        await until(lambda: engine.store.waiting == 1)
        await engine.quiet_reads()

        assert worker.activities.empty()
        engine.store.gate.set()
        assert (await worker.activity()).seq == 1


async def test_an_attempt_that_is_over_before_its_assignment_is_durable_is_not_pushed() -> None:
    async with running() as engine:
        worker = engine.worker()
        start = await engine.start()
        task = await worker.task()
        engine.store.gate = asyncio.Event()
        command = schedule(1, start_to_close_us=60_000_000)
        worker.send(pb.WorkerFrame(segments=[worker.segment(task, command)]))
        await until(lambda: engine.store.waiting == 1)
        execution = engine.group.cache.get_by_run_id(start.run_id)
        assert execution is not None

        engine.group.clock.advance(60_000_000)
        engine.group.apply(execution, FireTimer(kind=TimerKind.START_TO_CLOSE, seq=1))
        engine.store.gate.set()

        pushed = await worker.activity()
        assert pushed.attempt == 2
        record = execution.state.activities[1].record
        assert (record.phase, record.dispatch) == (ActivityPhase.STARTED, pushed.dispatch)


async def test_the_slot_of_an_activity_that_ended_while_it_was_assigned_is_for_the_next() -> None:
    async with running() as engine:
        worker = engine.worker(activity_slots=1)
        for workflow_id in ("runs", "ended", "next"):
            await engine.start(workflow_id)
            await worker.answer(await worker.task(), schedule(1))
        task = await worker.activity()
        engine.store.gate = asyncio.Event()
        worker.report(task, result=RESULT)
        # Of the report; the one behind it assigns the freed slot to the run "ended".
        await until(lambda: engine.store.waiting == 1)
        end = asyncio.ensure_future(engine.terminate("ended"))
        await engine.quiet_reads()
        engine.store.gate.set()
        await end

        assert (await worker.activity()).workflow_id == "next"


async def test_a_decision_that_cannot_be_folded_is_not_written_in_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as engine:
        await engine.start()

        def broken(*_: object) -> None:
            raise AssertionError("a bug")

        worker = engine.worker()
        task = await worker.task()
        await worker.answer(task)
        put_record = vars(changes)["put_record"]
        monkeypatch.setattr(changes, "put_record", broken)
        with pytest.raises(AssertionError, match="a bug"):
            await engine.signal(name="half")
        monkeypatch.setattr(changes, "put_record", put_record)
        await engine.quiet()

        assert await engine.history() == ["WorkflowStarted", "WorkflowTaskCompleted"]
        await engine.signal(name="whole")
        assert event_names((await worker.task()).events)[-1] == "SignalReceived"


async def test_an_engine_that_cannot_commit_any_more_stops_serving() -> None:
    stopped = asyncio.Event()
    async with running(on_fenced=stopped.set) as engine:

        def bug(_: CommitBatch) -> None:
            raise RuntimeError("a bug in the store")

        engine.store.faults.append(bug)
        start = asyncio.ensure_future(engine.start())

        await within(stopped.wait())

        start.cancel()
        await asyncio.gather(start, return_exceptions=True)


async def test_an_engine_that_is_fenced_off_promises_nothing_and_stops_serving() -> None:
    stopped = asyncio.Event()
    async with running(on_fenced=stopped.set) as engine:
        await engine.start("before")
        await engine.store.acquire(0, "another:1")

        with pytest.raises(Unavailable, match="does not lead any more"):
            await engine.start("after")

        assert stopped.is_set()
        assert await engine.store.find_runs(["after"]) == {}


async def test_a_timer_that_is_due_behind_the_end_of_a_term_is_no_error() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task(), sleep(1, 60))
        ((run_key, kind, seq),) = engine.group.timers._due
        engine.group.closed = True  # as when the lock's session is ended

        await engine.group._fire(run_key, TimerKind(kind), seq)

        assert [row.seq for row in await engine.store.read_timers(run_key)] == [1]


async def test_heartbeats_tell_nothing_that_is_not_committed() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))
        task = await worker.activity()
        engine.store.gate = asyncio.Event()
        engine.store.faults.append(unavailable)
        terminate = asyncio.ensure_future(engine.terminate())
        await until(lambda: engine.store.waiting == 1)
        beat = pb.ActivityHeartbeat(run_id=task.run_id, seq=task.seq, dispatch=task.dispatch)
        worker.send(pb.WorkerFrame(heartbeats=[beat]))
        await engine.quiet_reads()
        engine.store.gate.set()
        with pytest.raises(Unavailable):
            await terminate
        await engine.quiet()

        assert worker.lost.empty(), "the run goes on, and so does its activity"
        await worker.finish(task)


async def test_a_segment_that_the_store_never_takes_fails_its_task() -> None:
    async with running() as engine:
        await engine.start()
        worker = engine.worker()
        task = await worker.task()

        def bad_value(batch: CommitBatch) -> None:
            engine.store.faults.append(bad_value)
            if any(e.type == 4 for g in batch.groups for c in g.changes for e in c.events):
                raise StoreDataError("a value is bad")

        engine.store.faults.append(bad_value)
        ack = await worker.answer(task, schedule(1))

        assert ack.outcome == pb.SegmentAck.OUTCOME_INVALID
        assert "a value is bad" in ack.message
        engine.store.faults.clear()
        assert await engine.history() == ["WorkflowStarted", "WorkflowTaskFailed"]


async def test_an_activity_is_given_back_although_that_was_not_written(fault: object) -> None:
    """Nobody else remembers that its worker is gone."""
    async with running(activity_grace_s=0.01) as engine:
        first = engine.worker("first")
        await engine.start()
        await first.answer(await first.task(), schedule(1))
        task = await first.activity()
        engine.store.faults.append(fault)  # type: ignore[arg-type]

        first.disconnect()

        second = engine.worker("second")
        assert (await second.activity()).dispatch > task.dispatch


async def test_a_returned_activity_is_given_back_although_that_was_not_written() -> None:
    async with running() as engine:
        first = engine.worker("first")
        await engine.start()
        await first.answer(await first.task(), schedule(1))
        task = await first.activity()
        second = engine.worker("second")
        await second.started_serving()
        engine.store.faults.append(unavailable)

        first.send(pb.WorkerFrame(drain=True, returned=[task.dispatch]))

        assert (await second.activity()).dispatch > task.dispatch


async def test_timers_keep_their_order_when_the_first_cannot_be_read() -> None:
    async with running() as engine:
        fired: list[int] = []
        failures = [StoreUnavailableError("the disk is slow today")]

        async def fire(run_key: int, kind: int, seq: int) -> None:
            if failures:
                raise failures.pop()
            fired.append(seq)

        clock = engine.group.clock
        timers = TimerService(
            engine.store, 0, clock, fire, per_second=1_000, lateness=Distribution(WAIT_S)
        )
        await timers.load()
        now = clock.now_us()
        timers.set(1, TimerKind.USER, 1, now - 2_000)
        timers.set(1, TimerKind.USER, 2, now - 1_000)
        running_timers = asyncio.ensure_future(timers.run())
        await until(lambda: len(fired) == 2)
        running_timers.cancel()

        assert fired == [1, 2]


async def test_a_timer_that_is_set_while_its_run_is_read_anew_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes due before the rows of timers are here, which were read without it."""
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        retry = common_pb2.RetryPolicy(initial_interval_us=1_000, maximum_attempts=3)
        await worker.answer(await worker.task(), schedule(1, retry=retry))
        task = await worker.activity()
        answers, read_timers = asyncio.Event(), engine.store.read_timers
        reads: list[int] = []

        async def late(run_key: int) -> list[TimerRow]:
            rows = await read_timers(run_key)
            reads.append(len(rows))
            await answers.wait()
            return rows

        monkeypatch.setattr(engine.store, "read_timers", late)
        engine.store.faults.append(unavailable)
        with pytest.raises(Unavailable):
            await engine.signal()
        await until(lambda: reads == [0])
        worker.report(task, failure=BOOM)
        await within(worker.activity_acks.get())
        await until(lambda: not engine.group.timers._due)
        answers.set()

        assert (await worker.activity()).attempt == 2

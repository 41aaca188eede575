"""Workflow tasks between the engine and its workers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_sdk.api.v1 import workflow_service_pb2 as client_pb

from .harness import BOOM, complete, event_names, running, schedule, sleep, step, until, within

if TYPE_CHECKING:
    pass

ACCEPTED = pb.SegmentAck.OUTCOME_ACCEPTED
STALE = pb.SegmentAck.OUTCOME_STALE
CLOSE_REFUSED = pb.SegmentAck.OUTCOME_CLOSE_REFUSED
INVALID = pb.SegmentAck.OUTCOME_INVALID
COMPLETED = common_pb2.WORKFLOW_STATUS_COMPLETED


async def test_a_worker_gets_the_history_and_closes_the_workflow() -> None:
    async with running() as engine:
        worker = engine.worker()
        started = await engine.start()

        task = await worker.task()

        assert (task.workflow_id, task.run_id) == ("wf", started.run_id)
        assert (task.attempt, task.base, task.last_event_id) == (1, 0, 1)
        assert task.full_history
        assert not task.more_pages
        assert event_names(task.events) == ["WorkflowStarted"]
        ack = await worker.close(task)
        assert (ack.outcome, ack.base) == (ACCEPTED, 2)
        assert (await engine.result()).status == COMPLETED


async def test_a_cached_instance_gets_only_what_it_has_not_seen() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task())

        await engine.signal()

        task = await worker.task()
        assert not task.full_history
        assert task.base == 2
        assert event_names(task.events) == ["SignalReceived"]


async def test_an_evicted_instance_gets_the_history_again() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        await worker.answer(task)
        worker.send(pb.WorkerFrame(evicted_run_ids=[task.run_id]))

        await engine.signal()

        again = await worker.task()
        assert again.full_history
        assert event_names(again.events) == [
            "WorkflowStarted",
            "WorkflowTaskCompleted",
            "SignalReceived",
        ]


async def test_signals_arrive_in_order_and_once_also_while_a_task_is_out() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        for number in range(10):
            await engine.signal(name=f"s-{number}", request_id=f"r-{number}")
            await engine.signal(name=f"s-{number}", request_id=f"r-{number}")

        await worker.answer(task)

        following = await worker.task()
        events = [history_pb2.HistoryEvent.FromString(data) for data in following.events]
        assert [e.signal_received.name for e in events] == [f"s-{n}" for n in range(10)]


async def test_a_segment_with_more_keeps_the_task_and_brings_the_news() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        await engine.signal()

        ack = await worker.answer(task, step(1), more=True)

        assert (ack.outcome, ack.base, ack.last_event_id) == (ACCEPTED, 3, 4)
        assert event_names(ack.events) == ["SignalReceived"]
        final = await worker.answer(task, complete(), base=ack.base, seen=ack.last_event_id)
        assert final.outcome == ACCEPTED
        assert worker.tasks.empty()


async def test_a_close_that_overlooks_a_signal_comes_again_with_it() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        await engine.signal()

        ack = await worker.answer(task, schedule(1), step(2), complete())

        assert ack.outcome == CLOSE_REFUSED
        again = await worker.task()
        assert again.full_history
        assert event_names(again.events) == [
            "WorkflowStarted",
            "SignalReceived",
            "WorkflowTaskCompleted",
            "ActivityScheduled",
            "StepCompleted",
        ]
        assert (await worker.close(again)).outcome == ACCEPTED


async def test_signals_that_keep_a_workflow_from_closing_are_held_in_the_end() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        for _ in range(3):
            task = await worker.task()
            await engine.signal()
            assert (await worker.close(task)).outcome == CLOSE_REFUSED
        task = await worker.task()
        held = asyncio.ensure_future(engine.signal())
        await engine.quiet()
        assert not held.done()

        ack = await worker.answer(task, sleep(1, 60))

        assert ack.outcome == ACCEPTED
        await within(held)
        assert (await engine.history()).count("SignalReceived") == 4


async def test_a_broken_stream_gives_the_task_to_another_worker_at_once() -> None:
    async with running() as engine:
        first = engine.worker("first")
        await engine.start()
        old = await first.task()
        second = engine.worker("second")

        first.disconnect()

        new = await second.task()
        assert new.run_id == old.run_id
        assert new.dispatch > old.dispatch
        assert new.attempt == 2
        assert new.full_history
        back = engine.worker("first")
        assert (await back.close(old)).outcome == STALE
        assert (await second.close(new)).outcome == ACCEPTED


async def test_a_task_that_times_out_goes_to_another_worker() -> None:
    async with running(workflow_task_timeout_s=0.05) as engine:
        first = engine.worker("first", workflow_task_slots=1)
        await engine.start()
        old = await first.task()
        second = engine.worker("second")

        new = await second.task()

        assert new.dispatch > old.dispatch
        assert (await first.close(old)).outcome == STALE


async def test_renewals_keep_a_slow_worker_its_task() -> None:
    async with running(workflow_task_timeout_s=60.0) as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        execution = engine.group.cache.get_by_run_id(task.run_id)
        assert execution is not None
        assert execution.holder is not None
        execution.holder.deadline = 0.0  # it is slow
        worker.send(pb.WorkerFrame(renewals=[task.dispatch]))

        assert not engine.group.dispatcher.overdue()
        assert (await worker.close(task)).outcome == ACCEPTED
        assert worker.tasks.empty()


async def test_a_task_handed_back_goes_to_another_worker_as_the_same_attempt() -> None:
    async with running() as engine:
        first = engine.worker("first")
        await engine.start()
        old = await first.task()
        second = engine.worker("second")

        first.send(pb.WorkerFrame(drain=True, returned=[old.dispatch]))

        assert (await second.task()).attempt == 1


async def test_a_draining_worker_gets_no_more_tasks_but_may_finish() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start("one")
        task = await worker.task()
        worker.send(pb.WorkerFrame(drain=True))

        await engine.start("two")
        await engine.quiet()

        assert worker.tasks.empty()
        assert not (await engine.describe("two")).workflow_task.has_worker
        assert (await worker.close(task)).outcome == ACCEPTED
        assert (await engine.worker("next").task()).workflow_id == "two"


async def test_an_exact_resend_is_acknowledged_alike_and_not_repeated() -> None:
    async with running() as engine:
        worker = engine.worker("w")
        await engine.start()
        segment = worker.segment(await worker.task(), step(1))
        first = await worker.answer_with(segment)

        again = await worker.answer_with(segment)

        assert (again.outcome, again.base, again.time_us) == (ACCEPTED, first.base, first.time_us)
        assert (await engine.history()).count("StepCompleted") == 1


async def test_an_invalid_segment_fails_the_task_and_shows_why() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()

        ack = await worker.answer(await worker.task(), complete(), step(1))

        assert ack.outcome == INVALID
        assert "not the last command" in ack.message
        pending = (await engine.describe()).workflow_task
        assert pending.state == client_pb.PendingWorkflowTask.STATE_BACKOFF
        assert pending.last_failure_cause == history_pb2.WORKFLOW_TASK_FAILURE_CAUSE_INVALID_COMMAND
        assert (await engine.history()) == ["WorkflowStarted", "WorkflowTaskFailed"]


async def test_a_command_over_a_limit_fails_the_task_and_names_the_limit() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        big = common_pb2.Payload(data=b"x" * (2 * 1024 * 1024 + 1))
        ack = await worker.answer(await worker.task(), schedule(1, input=[big]))

        assert ack.outcome == INVALID
        assert ack.message == (
            "the input of activity 'send' has 2,097,153 bytes, the limit is 2,097,152; store "
            "large data elsewhere and pass a reference"
        )


async def test_the_id_of_a_patch_has_a_limit() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        kind = history_pb2.MarkerRecorded.KIND_PATCH
        long = pb.Command(record_marker=pb.RecordMarker(kind=kind, id="p" * 256))

        ack = await worker.answer(await worker.task(), long)

        assert ack.outcome == INVALID
        assert ack.message == (
            f"the id of a patch '{'p' * 40}'… has 256 characters, the limit is 255; choose a "
            "shorter one"
        )


async def test_a_sleep_beyond_all_time_fails_the_task_and_not_the_stream() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        endless = pb.Command(seq=1, start_timer=pb.StartTimer(duration_us=2**63 - 1))

        ack = await worker.answer(await worker.task(), endless)

        assert ack.outcome == INVALID
        assert ack.message.startswith("a sleep is over 100 years")


async def test_a_command_of_a_newer_sdk_fails_the_task() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()

        ack = await worker.answer(await worker.task(), pb.Command(seq=1))

        assert ack.outcome == INVALID
        assert "upgrade the engine" in ack.message


def failure_of(task: pb.WorkflowTask, base: int) -> pb.WorkerFrame:
    failure = pb.WorkflowTaskFailure(
        run_id=task.run_id,
        dispatch=task.dispatch,
        base=base,
        cause=history_pb2.WORKFLOW_TASK_FAILURE_CAUSE_NON_DETERMINISM,
        failure=BOOM,
    )
    return pb.WorkerFrame(task_failures=[failure])


async def test_a_failed_task_waits_and_a_worker_with_other_code_need_not() -> None:
    async with running() as engine:
        worker = engine.worker("old-code")
        await engine.start()
        task = await worker.task()

        worker.send(failure_of(task, task.base))

        assert await within(worker.failure_acks.get()) == task.dispatch
        pending = (await engine.describe()).workflow_task
        assert pending.last_failure.message == "boom"
        worker.disconnect()
        mended = engine.worker("new-code")
        again = await mended.task()
        assert again.attempt == 2
        assert (await mended.close(again)).outcome == ACCEPTED


async def test_a_failure_on_an_older_base_gives_the_task_out_again() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        task = await worker.task()
        await worker.answer(task, step(1), more=True)

        worker.send(failure_of(task, base=0))

        again = await worker.task()
        assert again.dispatch > task.dispatch
        assert (await worker.close(again)).outcome == ACCEPTED


async def test_a_workflow_whose_type_nobody_serves_waits_visibly() -> None:
    async with running() as engine:
        await engine.start(workflow_type="Unknown")
        other = engine.worker("other")

        pending = (await engine.describe()).workflow_task

        assert pending.state == client_pb.PendingWorkflowTask.STATE_SCHEDULED
        assert not pending.has_worker
        assert other.tasks.empty()
        able = engine.worker("able", workflow_types=["Unknown"])
        task = await able.task()
        described = (await engine.describe()).workflow_task
        assert described.has_worker
        assert described.state == client_pb.PendingWorkflowTask.STATE_STARTED
        assert described.identity == "able"
        assert (await able.close(task)).outcome == ACCEPTED


async def test_a_long_history_comes_in_pages() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        big = [common_pb2.Payload(data=b"x" * 400_000)]
        for number in range(4):
            await engine.signal(name=f"s-{number}", input=big)
        task = await worker.task()
        worker.send(pb.WorkerFrame(returned=[task.dispatch]))

        again = await worker.task()

        assert again.more_pages
        assert again.last_event_id == 5
        assert len(again.events) < 5


async def test_sleeps_are_never_early() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task(), *[sleep(n, 0.02 * n) for n in range(1, 6)])
        due = {t.seq: t.due_time_us for t in (await engine.describe()).timers}
        assert set(due) <= {1, 2, 3, 4, 5}
        fired: dict[int, int] = {}
        while len(fired) < 5:
            task = await worker.task()
            for data in task.events:
                event = history_pb2.HistoryEvent.FromString(data)
                if event.HasField("timer_fired"):
                    fired[event.timer_fired.seq] = event.time_us
            await worker.answer(task)

        assert all(fired[seq] >= due[seq] for seq in due)


async def test_the_end_of_a_run_is_told_to_all_who_wait() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        waiting = [asyncio.ensure_future(engine.result()) for _ in range(3)]
        task = await worker.task()
        await until(lambda: not any(w.done() for w in waiting))
        await worker.close(task)

        assert {(await w).status for w in waiting} == {COMPLETED}

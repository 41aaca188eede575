"""Workflow tasks that fail, are lost, and come again."""

from __future__ import annotations

import pytest

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    Verdict,
)
from sched_server.core.retry import task_backoff_us
from sched_server.core.state import TaskPhase, WorkflowTaskRecord
from sched_server.core.values import Failure, FailureKind, TaskFailureCause, TimerKind

from .scenario import BOOM, IDENTITY, SECOND, T0, Run, started, step

CAUSE = int(TaskFailureCause.NON_DETERMINISM)


def fail(
    run: Run, failure: Failure = BOOM, *, base: int = 0, cause: int = CAUSE, build_id: str = "b1"
) -> i.Input:
    return i.FailWorkflowTask(
        base=base, cause=cause, failure=failure, identity=IDENTITY, build_id=build_id
    )


def test_a_failed_task_is_recorded_and_waits() -> None:
    run = started()

    decision = run.do(fail(run))

    assert decision.events == [
        e.WorkflowTaskFailed(cause=CAUSE, failure=BOOM, identity=IDENTITY, build_id="b1")
    ]
    record = WorkflowTaskRecord(
        phase=TaskPhase.BACKOFF,
        attempt=2,
        ready_since_us=T0,
        due_us=T0 + SECOND,
        failure_cause=CAUSE,
        failure=BOOM,
        failed_build="b1",
    )
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, T0 + SECOND)]
    assert run.state.unseen == [1], "the failure is for people, not for the code"


def test_the_same_failure_again_is_recorded_once() -> None:
    run = started()
    run.do(fail(run))
    run.wait(SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)

    again = run.do(fail(run))

    assert again.events == []
    assert run.state.task.attempt == 3
    run.wait(2 * SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)
    other = run.do(fail(run, Failure(message="something else")))
    assert [type(x) for x in other.events] == [e.WorkflowTaskFailed]


def test_the_same_message_for_another_cause_is_another_failure() -> None:
    run = started()
    run.do(fail(run))
    run.wait(SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)

    again = run.do(fail(run, cause=int(TaskFailureCause.BLOCKED)))

    assert [type(x) for x in again.events] == [e.WorkflowTaskFailed]


def parted(run: Run, build_id: str, cause: int = CAUSE) -> None:
    """A worker of this build gets the next task, and its code does not fit."""
    run.signal()
    run.do(fail(run, base=run.state.base, build_id=build_id, cause=cause))


def test_a_build_that_parts_from_the_history_pins_the_run_to_the_last_good_one() -> None:
    run = started()
    run.segment(build_id="good")
    assert not run.state.pinned_build

    parted(run, "bad")

    assert (run.state.pinned_build, run.state.task.failed_build) == ("good", "bad")
    run.wait(SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)
    run.segment(build_id="good")
    assert run.state.pinned_build == "good", "the bad one may still be there"
    run.signal()
    run.segment(build_id="mended")
    assert not run.state.pinned_build


@pytest.mark.parametrize("build_id", ["good", ""])
def test_neither_the_good_build_itself_nor_an_unknown_one_pins(build_id: str) -> None:
    run = started()
    run.segment(build_id="good")
    parted(run, build_id)
    assert not run.state.pinned_build


def test_a_run_that_no_build_has_got_past_is_not_pinned() -> None:
    run = started()
    run.do(fail(run))
    assert not run.state.pinned_build


def test_only_non_determinism_pins() -> None:
    run = started()
    run.segment(build_id="good")
    parted(run, "bad", int(TaskFailureCause.BLOCKED))
    assert not run.state.pinned_build


def test_waits_grow_up_to_ten_seconds() -> None:
    waits = [task_backoff_us(attempt) // SECOND for attempt in (1, 2, 3, 4, 5, 6, 1_000_000)]

    assert waits == [1, 2, 4, 8, 10, 10, 10]


def test_a_task_comes_again_when_its_backoff_is_over_and_not_before() -> None:
    run = started()
    run.do(fail(run))

    early = run.wait(SECOND - 1).fire(TimerKind.WORKFLOW_TASK_BACKOFF)

    assert early.verdict is Verdict.STALE
    assert not early.changes
    assert early.effects == [SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, T0 + SECOND)]

    decision = run.wait(1).fire(TimerKind.WORKFLOW_TASK_BACKOFF)

    assert decision.effects == [
        ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0),
        DispatchWorkflowTask(),
    ]
    task = run.state.task
    assert (task.phase, task.attempt, task.ready_since_us) == (
        TaskPhase.SCHEDULED,
        2,
        T0 + SECOND,
    )
    assert task.failure == BOOM, "why it is stuck stays visible"


def test_success_forgets_the_failure() -> None:
    run = started()
    run.do(fail(run))
    run.wait(SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)
    run.segment()
    run.signal()

    assert run.state.task == WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=run.now)


def test_other_code_need_not_wait_for_the_backoff() -> None:
    run = started()
    run.do(fail(run))

    decision = run.wait(1).do(i.HastenWorkflowTask())

    assert decision.effects == [
        ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0),
        DispatchWorkflowTask(),
    ]
    assert run.state.task.phase is TaskPhase.SCHEDULED
    assert run.do(i.HastenWorkflowTask()).verdict is Verdict.STALE


def test_a_failure_of_an_older_task_is_stale() -> None:
    run = started()
    run.segment(step(1), more=True)

    decision = run.do(fail(run, base=0))

    assert decision.verdict is Verdict.STALE
    assert not decision.changes


def test_a_task_that_is_not_out_cannot_fail_or_be_lost() -> None:
    run = started()
    run.segment()

    assert run.do(fail(run, base=run.state.base)).verdict is Verdict.STALE
    assert run.do(i.LoseWorkflowTask()).verdict is Verdict.STALE
    assert run.fire(TimerKind.WORKFLOW_TASK_BACKOFF).verdict is Verdict.STALE


def test_a_lost_task_goes_out_again_at_once() -> None:
    run = started()

    decision = run.wait(SECOND).do(i.LoseWorkflowTask(identity=IDENTITY))

    assert decision.events == []
    record = WorkflowTaskRecord(
        phase=TaskPhase.SCHEDULED, attempt=2, ready_since_us=run.now, lost=1
    )
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [DispatchWorkflowTask()]


def test_a_task_that_goes_on_losing_workers_waits_and_says_so() -> None:
    run = started()
    run.do(i.LoseWorkflowTask(identity="a"))

    decision = run.do(i.LoseWorkflowTask(identity="b"))

    failure = Failure(
        kind=FailureKind.WORKER_LOST,
        type="WorkerLost",
        message="2 workers in a row were lost with this task (the last was b)",
    )
    record = WorkflowTaskRecord(
        phase=TaskPhase.BACKOFF,
        attempt=3,
        ready_since_us=T0,
        due_us=T0 + SECOND,
        lost=2,
        failure_cause=int(TaskFailureCause.WORKER_LOST),
        failure=failure,
    )
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, T0 + SECOND)]


def test_a_task_handed_back_in_good_order_is_no_loss() -> None:
    run = started()
    run.do(i.LoseWorkflowTask(identity="a"))

    decision = run.do(i.LoseWorkflowTask(identity="b", returned=True))

    assert decision.effects == [DispatchWorkflowTask()]
    assert (run.state.task.attempt, run.state.task.lost) == (2, 1)


def test_a_failure_breaks_the_row_of_losses() -> None:
    run = started()
    run.do(i.LoseWorkflowTask(identity="a"))
    run.do(fail(run))

    assert run.state.task.lost == 0

"""Starting a run."""

from __future__ import annotations

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    Verdict,
)
from sched_server.core.state import TaskPhase, WorkflowTaskRecord
from sched_server.core.values import Failure, FailureKind, Payload, Status, TimerKind

from .scenario import SECOND, T0, Run, completed, started


def test_a_start_is_recorded_and_opens_the_first_task() -> None:
    run = Run()

    decision = run.start(input=(Payload("json", b"1"),), identity="cli")

    assert decision.verdict is Verdict.ACCEPTED
    assert decision.events == [
        e.WorkflowStarted(
            workflow_id="order-1",
            run_id="run-1",
            workflow_type="Order",
            task_queue="default",
            input=(Payload("json", b"1"),),
            execution_timeout_us=0,
            start_delay_us=0,
            seed=7,
            request_id="start-1",
            identity="cli",
            previous_run_id="",
        )
    ]
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=T0)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [DispatchWorkflowTask()]
    assert run.state.status is Status.RUNNING
    assert run.state.unseen == [1]


def test_a_delayed_start_opens_its_task_when_the_delay_is_over() -> None:
    run = Run()

    decision = run.start(start_delay_us=5 * SECOND)

    due = T0 + 5 * SECOND
    record = WorkflowTaskRecord(phase=TaskPhase.BACKOFF, due_us=due)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, due)]

    opened = run.wait(5 * SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)

    assert opened.events == []
    assert run.state.task == WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=due)
    assert opened.effects == [
        ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0),
        DispatchWorkflowTask(),
    ]


def test_a_signal_does_not_shorten_a_delayed_start() -> None:
    run = started(start_delay_us=5 * SECOND)

    decision = run.signal()

    assert decision.records == []
    assert decision.effects == []
    assert run.do(i.HastenWorkflowTask()).verdict is Verdict.STALE


def test_the_execution_timeout_is_a_timer_from_the_start() -> None:
    run = Run()

    decision = run.start(execution_timeout_us=60 * SECOND)

    deadline = T0 + 60 * SECOND
    assert SetTimer(TimerKind.EXECUTION_TIMEOUT, 0, deadline) in decision.effects
    assert run.state.execution_deadline_us == deadline


def test_the_execution_timeout_ends_the_run() -> None:
    run = started(execution_timeout_us=60 * SECOND)

    decision = run.wait(60 * SECOND).fire(TimerKind.EXECUTION_TIMEOUT)

    failure = Failure(
        kind=FailureKind.TIMEOUT,
        type="execution",
        message="the workflow did not end within its execution timeout of 60 s",
    )
    assert decision.events == [e.WorkflowTimedOut(failure=failure)]
    assert decision.effects == [ClearTimer(TimerKind.EXECUTION_TIMEOUT, 0)]
    assert run.state.status is Status.TIMED_OUT


def test_an_execution_timeout_that_comes_early_is_set_again() -> None:
    run = started(execution_timeout_us=60 * SECOND)

    decision = run.wait(60 * SECOND - 1).fire(TimerKind.EXECUTION_TIMEOUT)

    assert decision.verdict is Verdict.STALE
    assert not decision.changes
    assert decision.effects == [SetTimer(TimerKind.EXECUTION_TIMEOUT, 0, T0 + 60 * SECOND)]


def test_an_execution_timeout_that_was_never_set_does_nothing() -> None:
    decision = started().fire(TimerKind.EXECUTION_TIMEOUT)

    assert decision.verdict is Verdict.STALE
    assert decision.effects == []


def test_the_end_of_a_run_clears_its_execution_timeout() -> None:
    run = started(execution_timeout_us=60 * SECOND)

    decision = run.segment(completed())

    assert ClearTimer(TimerKind.EXECUTION_TIMEOUT, 0) in decision.effects
    late = run.wait(60 * SECOND).fire(TimerKind.EXECUTION_TIMEOUT)
    assert late.verdict is Verdict.STALE
    assert late.effects == []

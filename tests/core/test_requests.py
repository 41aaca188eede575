"""Signalling, canceling and terminating a run."""

from __future__ import annotations

import pytest

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchWorkflowTask,
    PutTaskRecord,
    Rejection,
    StopAttempt,
    Verdict,
)
from sched_server.core.limits import Limits
from sched_server.core.state import REMEMBERED_SIGNALS, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import Payload, Status, TimerKind

from .scenario import (
    BOOM,
    SECOND,
    SESSION,
    T0,
    activity,
    completed,
    started,
    step,
)

# ---------------------------------------------------------------- signals


def test_a_signal_wakes_an_idle_workflow() -> None:
    run = started()
    run.segment()
    assert run.state.task.phase is TaskPhase.IDLE

    decision = run.wait(SECOND).signal(
        "approve", input=(Payload("json", b"1"),), request_id="s-1", identity="cli"
    )

    assert decision.events == [
        e.SignalReceived(
            name="approve", input=(Payload("json", b"1"),), request_id="s-1", identity="cli"
        )
    ]
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=T0 + SECOND)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [DispatchWorkflowTask()]


def test_a_signal_while_a_task_is_out_is_recorded_and_waits_for_the_next_task() -> None:
    run = started()

    decision = run.signal()

    assert [type(x) for x in decision.events] == [e.SignalReceived]
    assert decision.records == []
    assert decision.effects == []
    assert run.state.unseen == [1, 2]


def test_a_signal_in_backoff_does_not_open_a_second_task() -> None:
    run = started()
    run.do(i.FailWorkflowTask(base=0, cause=2, failure=BOOM))

    decision = run.signal()

    assert decision.records == []
    assert decision.effects == []


def test_a_signal_sent_twice_is_recorded_once() -> None:
    run = started()
    run.signal(request_id="s-1")

    again = run.signal(request_id="s-1")

    assert again.verdict is Verdict.DUPLICATE
    assert not again.changes
    assert run.types().count("SignalReceived") == 1


def test_a_signal_sent_twice_is_recognised_even_after_the_end() -> None:
    run = started()
    run.signal(request_id="s-1")
    run.segment(completed())

    assert run.signal(request_id="s-1").verdict is Verdict.DUPLICATE


def test_signals_without_request_id_are_all_recorded() -> None:
    run = started()
    run.signal()
    run.signal()

    assert run.types().count("SignalReceived") == 2


def test_the_memory_for_request_ids_is_bounded_and_forgets_the_oldest() -> None:
    run = started()
    for number in range(REMEMBERED_SIGNALS + 1):
        e_signal = e.SignalReceived(name="go", input=(), request_id=f"s-{number}", identity="")
        run.fold(e_signal)

    assert len(run.state.signal_request_ids) == REMEMBERED_SIGNALS
    assert "s-0" not in run.state.signal_request_ids
    assert f"s-{REMEMBERED_SIGNALS}" in run.state.signal_request_ids


def test_a_closed_workflow_takes_no_signal() -> None:
    run = started()
    run.segment(completed())

    with pytest.raises(Rejection) as caught:
        run.signal(request_id="new")

    assert caught.value.reason == "WORKFLOW_CLOSED"
    assert caught.value.message == "workflow 'order-1' has already ended (COMPLETED)"


def test_a_full_history_takes_no_signal_and_says_what_to_do() -> None:
    run = started(Limits(history_events=1))

    with pytest.raises(Rejection) as caught:
        run.signal()

    assert caught.value.reason == "LIMIT_EXCEEDED"
    assert "'order-1' has 1 events, the limit is 1" in caught.value.message
    assert "sched workflow terminate" in caught.value.message


def test_after_three_refused_closes_new_signals_wait() -> None:
    run = started()
    for _ in range(3):
        run.signal()
        run.segment(completed(), seen=run.state.last_event_id - 1)

    held = run.signal()

    assert held.verdict is Verdict.HOLD
    assert not held.changes
    assert run.segment(completed()).verdict is Verdict.ACCEPTED
    assert run.state.status is Status.COMPLETED


def test_signals_pass_again_once_the_task_was_answered_otherwise() -> None:
    run = started()
    for _ in range(3):
        run.signal()
        run.segment(completed(), seen=run.state.last_event_id - 1)
    run.segment(step(1))

    assert run.signal().verdict is Verdict.ACCEPTED


# ---------------------------------------------------------------- cancel


def test_a_cancel_request_is_recorded_once_and_wakes_the_code() -> None:
    run = started()
    run.segment()

    decision = run.do(i.CancelWorkflow(reason="no need", request_id="c-1", identity="cli"))

    assert decision.events == [
        e.WorkflowCancelRequested(reason="no need", request_id="c-1", identity="cli")
    ]
    assert decision.effects == [DispatchWorkflowTask()]
    assert run.state.cancel_requested
    assert run.state.unseen == [3]
    again = run.do(i.CancelWorkflow(reason="other words", request_id="c-2"))
    assert again.verdict is Verdict.DUPLICATE
    assert not again.changes


def test_a_cancel_request_sent_again_after_the_end_is_recognised() -> None:
    run = started()
    run.do(i.CancelWorkflow(request_id="c-1"))
    run.segment(i.CancelWorkflowExecution(failure=BOOM))

    assert run.do(i.CancelWorkflow(request_id="c-1")).verdict is Verdict.DUPLICATE


def test_a_closed_workflow_cannot_be_canceled() -> None:
    run = started()
    run.segment(completed())

    with pytest.raises(Rejection, match="already ended"):
        run.do(i.CancelWorkflow(request_id="c-1"))


def test_a_full_history_takes_no_cancel_request() -> None:
    run = started(Limits(history_events=1))

    with pytest.raises(Rejection, match="the limit is 1"):
        run.do(i.CancelWorkflow())


# ---------------------------------------------------------------- terminate


def test_terminate_ends_the_run_at_once_and_clears_everything() -> None:
    run = started(execution_timeout_us=600 * SECOND)
    run.segment(
        activity(1, start_to_close_us=SECOND, schedule_to_close_us=9 * SECOND),
        activity(2, schedule_to_start_us=SECOND),
        i.StartTimer(seq=3, duration_us=SECOND),
    )
    dispatch = run.assign(1)

    decision = run.do(i.TerminateWorkflow(reason="enough", request_id="t-1", identity="cli"))

    assert decision.events == [
        e.WorkflowTerminated(reason="enough", request_id="t-1", identity="cli")
    ]
    assert decision.records == []
    assert decision.effects == [
        ClearTimer(TimerKind.USER, 3),
        ClearTimer(TimerKind.START_TO_CLOSE, 1),
        ClearTimer(TimerKind.SCHEDULE_TO_CLOSE, 1),
        StopAttempt(1, dispatch, SESSION, canceled=False),
        ClearTimer(TimerKind.SCHEDULE_TO_START, 2),
        ClearTimer(TimerKind.EXECUTION_TIMEOUT, 0),
    ]
    assert run.state.status is Status.TERMINATED
    assert not run.state.activities
    assert not run.state.timers


def test_terminate_clears_the_backoff_of_a_failing_task() -> None:
    run = started()
    run.do(i.FailWorkflowTask(base=0, cause=2, failure=BOOM))

    decision = run.do(i.TerminateWorkflow())

    assert decision.effects == [ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0)]


def test_a_full_history_can_still_be_terminated() -> None:
    run = started(Limits(history_events=1))

    run.do(i.TerminateWorkflow())

    assert run.state.status is Status.TERMINATED


def test_terminate_sent_twice_is_recognised_by_its_request_id() -> None:
    run = started()
    run.do(i.TerminateWorkflow(request_id="t-1"))

    assert run.do(i.TerminateWorkflow(request_id="t-1")).verdict is Verdict.DUPLICATE
    with pytest.raises(Rejection, match="already ended"):
        run.do(i.TerminateWorkflow(request_id="t-2"))
    with pytest.raises(Rejection, match="already ended"):
        run.do(i.TerminateWorkflow())

"""A close that overlooks a signal: what of the segment stays, and what comes next."""

from __future__ import annotations

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchActivity,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    Verdict,
)
from sched_server.core.state import TaskPhase, WorkflowTaskRecord
from sched_server.core.values import Status, TimerKind

from .scenario import (
    BOOM,
    RESULT,
    SECOND,
    T0,
    activity,
    completed,
    started,
    step,
    with_activity,
)


def test_nothing_stays_of_a_segment_with_one_activation() -> None:
    run = started()
    run.signal()

    decision = run.segment(activity(1), completed(), seen=1)

    assert decision.verdict is Verdict.CLOSE_REFUSED
    assert decision.events == []
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=T0, close_refusals=1)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [
        ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0),
        DispatchWorkflowTask(),
    ]
    assert run.state.base == 0
    assert run.state.unseen == [1, 2]


def test_what_the_code_did_before_the_last_step_stays_and_the_step_is_deferred() -> None:
    run = started()
    run.signal()

    decision = run.segment(
        activity(1), step(2), activity(3), step(4), activity(5), completed(), seen=1
    )

    assert decision.verdict is Verdict.CLOSE_REFUSED
    assert [type(x).__name__ for x in decision.events] == [
        "WorkflowTaskCompleted",
        "ActivityScheduled",
        "StepCompleted",
        "ActivityScheduled",
        "StepCompleted",
    ]
    first_step, last_step = decision.events[2], decision.events[4]
    assert isinstance(first_step, e.StepCompleted)
    assert not first_step.deferred
    assert last_step == e.StepCompleted(
        seq=4,
        name="charge",
        result=RESULT,
        attempt=1,
        deferred=True,
        duration_us=0,
        call_site="",
    )
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=T0, close_refusals=1)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [
        DispatchActivity(1),
        DispatchActivity(3),
        ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0),
        DispatchWorkflowTask(),
    ]
    assert run.state.unseen == [2, 7], "the signal, then the step's outcome"
    assert set(run.state.activities) == {1, 3}


def test_a_failed_step_is_deferred_like_any_outcome() -> None:
    run = started()
    run.signal()

    decision = run.segment(
        step(1, result=None, failure=BOOM, retry_after_us=SECOND, attempt=2), completed(), seen=1
    )

    assert decision.events[1:] == [
        e.StepFailed(
            seq=1,
            name="charge",
            failure=BOOM,
            attempt=2,
            deferred=True,
            retry_after_us=SECOND,
            duration_us=0,
            call_site="",
        )
    ]


def test_an_activity_canceled_in_what_stays_is_resolved_behind_the_segment() -> None:
    run = started()
    run.signal()

    decision = run.segment(
        activity(1), i.RequestCancelActivity(seq=1), step(2), completed(), seen=1
    )

    assert [type(x).__name__ for x in decision.events] == [
        "WorkflowTaskCompleted",
        "ActivityScheduled",
        "ActivityCancelRequested",
        "StepCompleted",
        "ActivityCanceled",
    ]
    assert run.state.unseen == [2, 6, 7]


def test_an_exact_resend_of_a_refused_close_is_refused_again_and_not_repeated() -> None:
    run = started()
    run.signal()
    request = run.segment_request(step(1), completed(), seen=1)
    run.do(request)

    again = run.do(request)

    assert again.verdict is Verdict.CLOSE_REFUSED
    assert not again.changes
    assert again.effects == []


def test_the_next_answer_has_the_signal_and_may_close() -> None:
    run = started()
    run.signal()
    run.segment(step(1), completed(), seen=1)

    decision = run.segment(completed())

    assert decision.verdict is Verdict.ACCEPTED
    assert run.state.status is Status.COMPLETED


def test_events_that_are_no_signals_do_not_stop_a_close() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.signal()
    run.report(dispatch, result=RESULT)

    decision = run.segment(completed(), seen=run.state.last_event_id - 1)

    assert decision.verdict is Verdict.ACCEPTED
    assert run.state.status is Status.COMPLETED


def test_refusals_in_a_row_are_counted() -> None:
    run = started()
    for count in (1, 2, 3):
        run.signal()
        run.segment(step(count), completed(), seen=run.state.last_event_id - 1)
        assert run.state.task.close_refusals == count

    run.segment(activity(9))

    assert run.state.task.close_refusals == 0


def test_a_refused_close_keeps_the_age_of_its_task() -> None:
    run = started()
    run.wait(SECOND).signal()

    run.wait(SECOND).segment(completed(), seen=1)

    assert run.state.task.ready_since_us == T0


def test_a_late_close_of_a_failed_task_is_refused_and_opens_the_task_again() -> None:
    run = started()
    run.do(i.FailWorkflowTask(base=0, cause=2, failure=BOOM))
    run.wait(SECOND).signal()

    decision = run.segment(completed(), seen=1)

    assert decision.verdict is Verdict.CLOSE_REFUSED
    assert run.state.task == WorkflowTaskRecord(
        phase=TaskPhase.SCHEDULED, ready_since_us=run.now, close_refusals=1
    )


def test_what_a_closing_segment_started_itself_needs_no_timer_and_no_worker() -> None:
    run = started()

    decision = run.segment(
        activity(1, schedule_to_close_us=SECOND),
        i.StartTimer(seq=2, duration_us=SECOND),
        completed(),
    )

    assert decision.verdict is Verdict.ACCEPTED
    assert not any(isinstance(x, SetTimer | DispatchActivity) for x in decision.effects)
    assert not run.state.activities
    assert not run.state.timers

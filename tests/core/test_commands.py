"""Every command of a segment, and what it yields."""

from __future__ import annotations

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchActivity,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    StopAttempt,
)
from sched_server.core.state import ActivityPhase, ActivityRecord, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import (
    AttemptSummary,
    Failure,
    MarkerKind,
    Payload,
    RetryPolicy,
    TimerKind,
)

from .scenario import (
    BOOM,
    IDENTITY,
    RESULT,
    SECOND,
    SESSION,
    T0,
    activity,
    started,
    step,
    with_activity,
)

# ---------------------------------------------------------------- activities


def test_an_activity_is_recorded_with_all_that_was_asked_for() -> None:
    run = started()
    policy = RetryPolicy(maximum_attempts=3, non_retryable_error_types=("KeyError",))

    decision = run.segment(
        i.ScheduleActivity(
            seq=1,
            call_site="app.py:9",
            name="send_email",
            task_queue="mail",
            input=(Payload("json", b"1"),),
            retry=policy,
            start_to_close_us=1 * SECOND,
            schedule_to_close_us=9 * SECOND,
            schedule_to_start_us=5 * SECOND,
            heartbeat_timeout_us=SECOND,
            summary="to Ada",
        )
    )

    scheduled = e.ActivityScheduled(
        seq=1,
        name="send_email",
        task_queue="mail",
        input=(Payload("json", b"1"),),
        retry=policy,
        start_to_close_us=1 * SECOND,
        schedule_to_close_us=9 * SECOND,
        schedule_to_start_us=5 * SECOND,
        heartbeat_timeout_us=SECOND,
        summary="to Ada",
        call_site="app.py:9",
    )
    assert decision.events[1:] == [scheduled]
    assert decision.effects == [
        SetTimer(TimerKind.SCHEDULE_TO_CLOSE, 1, T0 + 9 * SECOND),
        SetTimer(TimerKind.SCHEDULE_TO_START, 1, T0 + 5 * SECOND),
        DispatchActivity(1),
    ]
    assert run.state.activities[1].record == ActivityRecord(ready_since_us=T0)


def test_an_activity_runs_on_the_workflows_queue_unless_it_says_otherwise() -> None:
    run = started(task_queue="orders")

    decision = run.segment(activity(1))

    scheduled = decision.events[1]
    assert isinstance(scheduled, e.ActivityScheduled)
    assert scheduled.task_queue == "orders"
    assert decision.effects == [DispatchActivity(1)]


def test_an_activity_canceled_in_the_segment_that_queued_it_reaches_no_worker() -> None:
    run = started()

    decision = run.segment(
        activity(1, schedule_to_close_us=SECOND),
        i.RequestCancelActivity(seq=1, call_site="app.py:2"),
        activity(2),
    )

    failure = Failure(kind=3, type="CanceledError", message="canceled before it was started")
    assert decision.events[2:] == [
        e.ActivityCancelRequested(seq=1, moot=False, call_site="app.py:2"),
        decision.events[3],
        e.ActivityCanceled(seq=1, failure=failure, summary=AttemptSummary(1, 0, "")),
    ]
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=T0)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [DispatchActivity(2), DispatchWorkflowTask()]


def test_an_activity_that_no_worker_has_is_canceled_at_once() -> None:
    run = with_activity(schedule_to_start_us=SECOND, schedule_to_close_us=SECOND)
    run.signal()

    decision = run.segment(i.RequestCancelActivity(seq=1))

    failure = Failure(kind=3, type="CanceledError", message="canceled before it was started")
    assert decision.events[1:] == [
        e.ActivityCancelRequested(seq=1, moot=False, call_site=""),
        e.ActivityCanceled(seq=1, failure=failure, summary=AttemptSummary(1, 0, "")),
    ]
    assert decision.effects == [
        ClearTimer(TimerKind.SCHEDULE_TO_CLOSE, 1),
        ClearTimer(TimerKind.SCHEDULE_TO_START, 1),
        DispatchWorkflowTask(),
    ]
    assert not run.state.activities


def test_an_activity_between_attempts_is_canceled_at_once() -> None:
    run = with_activity()
    run.report(run.assign(), failure=BOOM)
    run.signal()

    decision = run.segment(i.RequestCancelActivity(seq=1))

    canceled = decision.events[2]
    assert isinstance(canceled, e.ActivityCanceled)
    assert canceled.failure == Failure(
        kind=3, type="CanceledError", message="canceled before attempt 2", cause=BOOM
    )
    assert ClearTimer(TimerKind.ACTIVITY_BACKOFF, 1) in decision.effects
    assert not run.state.activities


def test_a_running_activity_is_asked_to_stop() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.signal()

    decision = run.segment(i.RequestCancelActivity(seq=1))

    assert decision.events[1:] == [e.ActivityCancelRequested(seq=1, moot=False, call_site="")]
    assert decision.effects == [StopAttempt(1, dispatch, SESSION, canceled=True)]
    assert run.state.activities[1].cancel_requested
    assert run.state.activities[1].record.phase is ActivityPhase.STARTED


def test_an_activity_that_goes_on_elsewhere_only_has_the_request_noted() -> None:
    run = with_activity()
    run.report(run.assign(), detached=True)
    run.signal()

    decision = run.segment(i.RequestCancelActivity(seq=1))

    assert decision.effects == []
    assert run.state.activities[1].cancel_requested


def test_a_second_cancel_of_an_activity_is_moot() -> None:
    for in_one_segment in (True, False):
        run = with_activity()
        run.assign()
        run.signal()
        cancel = i.RequestCancelActivity(seq=1)
        if in_one_segment:
            decision = run.segment(cancel, cancel)
        else:
            run.segment(cancel)
            run.signal()
            decision = run.segment(cancel)
        assert decision.events[-1] == e.ActivityCancelRequested(seq=1, moot=True, call_site="")


def test_a_second_cancel_of_an_unstarted_activity_is_moot() -> None:
    run = with_activity()
    run.signal()
    cancel = i.RequestCancelActivity(seq=1)

    decision = run.segment(cancel, cancel, activity(2), i.RequestCancelActivity(seq=2), cancel)

    requests = [x for x in decision.events if isinstance(x, e.ActivityCancelRequested)]
    assert [(x.seq, x.moot) for x in requests] == [(1, False), (1, True), (2, False), (1, True)]
    assert [type(x).__name__ for x in decision.events].count("ActivityCanceled") == 2


def test_the_cancel_of_a_resolved_activity_is_moot() -> None:
    run = with_activity()
    run.report(run.assign(), result=RESULT)

    decision = run.segment(i.RequestCancelActivity(seq=1, call_site="app.py:5"))

    assert decision.events[1:] == [
        e.ActivityCancelRequested(seq=1, moot=True, call_site="app.py:5")
    ]
    assert decision.effects == []


# ---------------------------------------------------------------- timers


def test_a_timer_is_due_so_long_after_its_segment() -> None:
    run = started()

    decision = run.wait(SECOND).segment(i.StartTimer(seq=1, duration_us=3 * SECOND))

    due = T0 + 4 * SECOND
    assert decision.events[1:] == [
        e.TimerScheduled(seq=1, duration_us=3 * SECOND, due_time_us=due, call_site="")
    ]
    assert decision.effects == [SetTimer(TimerKind.USER, 1, due)]


def test_a_negative_duration_is_due_at_once() -> None:
    decision = started().segment(i.StartTimer(seq=1, duration_us=-5))

    assert decision.effects == [SetTimer(TimerKind.USER, 1, T0)]


def test_a_pending_timer_is_canceled() -> None:
    run = started()
    run.segment(i.StartTimer(seq=1, duration_us=SECOND))
    run.signal()

    decision = run.segment(i.CancelTimer(seq=1, call_site="app.py:7"))

    assert decision.events[1:] == [e.TimerCanceled(seq=1, moot=False, call_site="app.py:7")]
    assert decision.effects == [ClearTimer(TimerKind.USER, 1)]
    assert not run.state.timers


def test_a_timer_may_be_started_and_canceled_in_one_segment() -> None:
    run = started()

    decision = run.segment(i.StartTimer(seq=1, duration_us=SECOND), i.CancelTimer(seq=1))

    assert decision.events[2:] == [e.TimerCanceled(seq=1, moot=False, call_site="")]
    assert decision.effects[-1] == ClearTimer(TimerKind.USER, 1)
    assert not run.state.timers


def test_the_cancel_of_a_fired_timer_is_moot() -> None:
    run = started()
    run.segment(i.StartTimer(seq=1, duration_us=SECOND))
    run.wait(SECOND).fire(TimerKind.USER, 1)

    decision = run.segment(i.CancelTimer(seq=1))

    assert decision.events[1:] == [e.TimerCanceled(seq=1, moot=True, call_site="")]
    assert decision.effects == []


def test_a_second_cancel_of_a_timer_is_moot() -> None:
    run = started()

    decision = run.segment(
        i.StartTimer(seq=1, duration_us=SECOND), i.CancelTimer(seq=1), i.CancelTimer(seq=1)
    )

    assert decision.events[-1] == e.TimerCanceled(seq=1, moot=True, call_site="")


# ---------------------------------------------------------------- steps


def test_a_step_outcome_is_recorded_where_the_code_had_it() -> None:
    run = started()

    decision = run.segment(
        step(1, attempt=2, duration_us=40, call_site="app.py:1"),
        activity(3),
        step(2, result=None, failure=BOOM, attempt=3, retry_after_us=SECOND, duration_us=50),
    )

    assert decision.events[1] == e.StepCompleted(
        seq=1,
        name="charge",
        result=RESULT,
        attempt=2,
        deferred=False,
        duration_us=40,
        call_site="app.py:1",
    )
    assert decision.events[3] == e.StepFailed(
        seq=2,
        name="charge",
        failure=BOOM,
        attempt=3,
        deferred=False,
        retry_after_us=SECOND,
        duration_us=50,
        call_site="",
    )
    assert run.state.last_seq == 3, "steps end in any order"
    assert run.state.unseen == []


def test_a_marker_is_recorded_where_the_code_decided() -> None:
    run = started()

    decision = run.segment(
        i.RecordMarker(call_site="app.py:4", kind=MarkerKind.PATCH, id="new-tax"), activity(1)
    )

    assert decision.events[1] == e.MarkerRecorded(
        kind=MarkerKind.PATCH, id="new-tax", call_site="app.py:4"
    )
    assert isinstance(decision.events[2], e.ActivityScheduled)
    completed = decision.events[0]
    assert isinstance(completed, e.WorkflowTaskCompleted)
    assert completed.patches == ("new-tax",), "replay asks before it reaches the marker"


def test_the_identity_of_the_worker_stands_in_the_segment() -> None:
    decision = started().segment()

    segment = decision.events[0]
    assert isinstance(segment, e.WorkflowTaskCompleted)
    assert segment.identity == IDENTITY

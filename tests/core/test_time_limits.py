"""Time limits of activities, sleeps, and the rule that nothing acts early."""

from __future__ import annotations

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    StopAttempt,
    Verdict,
)
from sched_server.core.state import ActivityPhase, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import (
    AttemptSummary,
    Failure,
    FailureKind,
    RetryPolicy,
    TimerKind,
)

from .scenario import BOOM, IDENTITY, SECOND, SESSION, T0, Run, started, with_activity

ONCE = RetryPolicy(maximum_attempts=1)


def test_an_attempt_over_start_to_close_is_stopped_and_tried_again() -> None:
    run = with_activity(start_to_close_us=3 * SECOND, heartbeat_timeout_us=9 * SECOND)
    dispatch = run.assign()

    decision = run.wait(3 * SECOND).fire(TimerKind.START_TO_CLOSE, 1)

    failure = Failure(
        kind=FailureKind.TIMEOUT,
        type="start_to_close",
        message=f"attempt 1 on {IDENTITY} was over its start_to_close limit of 3 s",
    )
    due = run.now + SECOND
    assert decision.events == [
        e.ActivityRetryScheduled(seq=1, attempt=1, failure=failure, next_attempt_time_us=due)
    ]
    assert decision.effects == [
        ClearTimer(TimerKind.START_TO_CLOSE, 1),
        ClearTimer(TimerKind.HEARTBEAT, 1),
        StopAttempt(1, dispatch, SESSION, canceled=False),
        SetTimer(TimerKind.ACTIVITY_BACKOFF, 1, due),
    ]


def test_the_last_attempt_over_start_to_close_times_the_activity_out() -> None:
    run = with_activity(start_to_close_us=3 * SECOND, retry=ONCE)
    dispatch = run.assign()

    decision = run.wait(3 * SECOND).fire(TimerKind.START_TO_CLOSE, 1)

    timed_out = decision.events[0]
    assert isinstance(timed_out, e.ActivityTimedOut)
    assert timed_out.failure.type == "start_to_close"
    assert timed_out.summary == AttemptSummary(1, T0, IDENTITY)
    assert StopAttempt(1, dispatch, SESSION, canceled=False) in decision.effects
    assert DispatchWorkflowTask() in decision.effects


def test_a_silent_attempt_is_over_its_heartbeat_limit() -> None:
    run = with_activity(heartbeat_timeout_us=2 * SECOND, retry=ONCE)
    run.assign()

    decision = run.wait(2 * SECOND).fire(TimerKind.HEARTBEAT, 1)

    timed_out = decision.events[0]
    assert isinstance(timed_out, e.ActivityTimedOut)
    assert timed_out.failure.type == "heartbeat"


def test_a_heartbeat_moves_the_limit_and_the_timer_is_set_again() -> None:
    run = with_activity(heartbeat_timeout_us=2 * SECOND)
    dispatch = run.assign()
    run.wait(SECOND).do(i.HeartbeatActivity(seq=1, dispatch=dispatch))

    decision = run.wait(SECOND).fire(TimerKind.HEARTBEAT, 1)

    assert decision.verdict is Verdict.STALE
    assert not decision.changes
    assert decision.effects == [SetTimer(TimerKind.HEARTBEAT, 1, T0 + 3 * SECOND)]


def test_an_attempt_that_should_stop_and_does_not_ends_canceled() -> None:
    run = with_activity(start_to_close_us=3 * SECOND)
    dispatch = run.assign()
    run.signal()
    run.segment(i.RequestCancelActivity(seq=1))

    decision = run.wait(3 * SECOND).fire(TimerKind.START_TO_CLOSE, 1)

    canceled = decision.events[0]
    assert isinstance(canceled, e.ActivityCanceled)
    assert canceled.failure.type == "start_to_close"
    assert StopAttempt(1, dispatch, SESSION, canceled=False) in decision.effects


def test_limits_of_an_attempt_do_not_concern_the_time_between_attempts() -> None:
    run = with_activity(start_to_close_us=3 * SECOND, heartbeat_timeout_us=SECOND)
    run.report(run.assign(), failure=BOOM)

    for kind in (TimerKind.START_TO_CLOSE, TimerKind.HEARTBEAT):
        decision = run.wait(60 * SECOND).fire(kind, 1)
        assert decision.verdict is Verdict.STALE
        assert decision.effects == []


def test_a_limit_that_was_not_asked_for_is_none() -> None:
    run = with_activity()
    run.assign()

    for kind in (
        TimerKind.START_TO_CLOSE,
        TimerKind.HEARTBEAT,
        TimerKind.SCHEDULE_TO_CLOSE,
        TimerKind.SCHEDULE_TO_START,
    ):
        decision = run.wait(60 * SECOND).fire(kind, 1)
        assert decision.verdict is Verdict.STALE
        assert decision.effects == []


def in_phase(phase: ActivityPhase) -> tuple[Run, int]:
    run = with_activity(schedule_to_close_us=30 * SECOND)
    if phase is ActivityPhase.SCHEDULED:
        return run, 0
    dispatch = run.assign()
    if phase is ActivityPhase.BACKOFF:
        run.report(dispatch, failure=BOOM)
    return run, dispatch


def test_schedule_to_close_ends_the_activity_in_every_phase() -> None:
    for phase in ActivityPhase:
        run, dispatch = in_phase(phase)

        decision = run.wait(30 * SECOND).fire(TimerKind.SCHEDULE_TO_CLOSE, 1)

        timed_out = decision.events[0]
        assert isinstance(timed_out, e.ActivityTimedOut)
        assert timed_out.failure.type == "schedule_to_close"
        stopped = StopAttempt(1, dispatch, SESSION, canceled=False) in decision.effects
        assert stopped == (phase is ActivityPhase.STARTED)
        assert not run.state.activities


def test_a_timeout_between_attempts_names_the_last_failure_as_its_cause() -> None:
    run, _ = in_phase(ActivityPhase.BACKOFF)

    decision = run.wait(30 * SECOND).fire(TimerKind.SCHEDULE_TO_CLOSE, 1)

    timed_out = decision.events[0]
    assert isinstance(timed_out, e.ActivityTimedOut)
    assert timed_out.failure.cause == BOOM


def test_an_activity_that_no_worker_takes_is_over_schedule_to_start() -> None:
    run = with_activity(schedule_to_start_us=5 * SECOND)

    decision = run.wait(5 * SECOND).fire(TimerKind.SCHEDULE_TO_START, 1)

    timed_out = decision.events[0]
    assert isinstance(timed_out, e.ActivityTimedOut)
    assert timed_out.failure == Failure(
        kind=FailureKind.TIMEOUT,
        type="schedule_to_start",
        message="attempt 1 was over its schedule_to_start limit of 5 s",
    )


def test_schedule_to_start_does_not_concern_what_a_worker_has() -> None:
    run = with_activity(schedule_to_start_us=5 * SECOND)
    run.assign()

    decision = run.wait(5 * SECOND).fire(TimerKind.SCHEDULE_TO_START, 1)

    assert decision.verdict is Verdict.STALE
    assert decision.effects == []


def test_an_activity_time_limit_that_comes_early_is_set_again() -> None:
    run = with_activity(schedule_to_start_us=5 * SECOND, schedule_to_close_us=6 * SECOND)
    for kind, limit in (
        (TimerKind.SCHEDULE_TO_START, 5 * SECOND),
        (TimerKind.SCHEDULE_TO_CLOSE, 6 * SECOND),
    ):
        decision = run.wait(1).fire(kind, 1)
        assert decision.verdict is Verdict.STALE
        assert not decision.changes
        assert decision.effects == [SetTimer(kind, 1, T0 + limit)]


def test_a_backoff_that_comes_early_is_set_again() -> None:
    run = with_activity()
    run.report(run.assign(), failure=BOOM)

    decision = run.wait(SECOND - 1).fire(TimerKind.ACTIVITY_BACKOFF, 1)

    assert decision.verdict is Verdict.STALE
    assert not decision.changes
    assert decision.effects == [SetTimer(TimerKind.ACTIVITY_BACKOFF, 1, T0 + SECOND)]


# ---------------------------------------------------------------- sleeps


def test_a_timer_fires_when_it_is_due() -> None:
    run = started()
    run.segment(i.StartTimer(seq=1, duration_us=SECOND))

    decision = run.wait(SECOND).fire(TimerKind.USER, 1)

    assert decision.events == [e.TimerFired(seq=1)]
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=run.now)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [ClearTimer(TimerKind.USER, 1), DispatchWorkflowTask()]
    assert not run.state.timers


def test_a_timer_never_fires_early() -> None:
    run = started()
    run.segment(i.StartTimer(seq=1, duration_us=SECOND))

    decision = run.wait(SECOND - 1).fire(TimerKind.USER, 1)

    assert decision.verdict is Verdict.STALE
    assert not decision.changes
    assert decision.effects == [SetTimer(TimerKind.USER, 1, T0 + SECOND)]


def test_a_timer_fires_once() -> None:
    run = started()
    run.segment(i.StartTimer(seq=1, duration_us=SECOND))
    run.wait(SECOND).fire(TimerKind.USER, 1)

    assert run.fire(TimerKind.USER, 1).verdict is Verdict.STALE


def test_a_canceled_timer_does_not_fire() -> None:
    run = started()
    run.segment(i.StartTimer(seq=1, duration_us=SECOND), i.CancelTimer(seq=1))

    assert run.wait(SECOND).fire(TimerKind.USER, 1).verdict is Verdict.STALE

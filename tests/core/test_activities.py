"""Attempts of activities: starting, reporting, retrying, losing the worker."""

from __future__ import annotations

from typing import Any

import pytest

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchActivity,
    DispatchWorkflowTask,
    PutActivityRecord,
    PutTaskRecord,
    SetTimer,
    Verdict,
)
from sched_server.core.limits import Limits
from sched_server.core.retry import activity_backoff_us, lost_backoff_us
from sched_server.core.state import ActivityPhase, ActivityRecord, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import (
    AttemptSummary,
    Failure,
    FailureKind,
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
    STOPPED,
    T0,
    started,
    with_activity,
)

ONCE = RetryPolicy(maximum_attempts=1)

# ---------------------------------------------------------------- starting


def test_an_assignment_names_the_worker_and_sets_the_attempts_time_limits() -> None:
    run = with_activity(
        start_to_close_us=9 * SECOND, heartbeat_timeout_us=2 * SECOND, schedule_to_start_us=SECOND
    )

    decision = run.wait(SECOND).do(
        i.StartActivity(seq=1, dispatch=100, session=SESSION, identity=IDENTITY)
    )

    record = ActivityRecord(
        phase=ActivityPhase.STARTED,
        dispatch=100,
        assignee=SESSION,
        identity=IDENTITY,
        ready_since_us=T0,
        started_us=run.now,
        heartbeat_us=run.now,
    )
    assert decision.events == []
    assert decision.records == [PutActivityRecord(1, record)]
    assert decision.effects == [
        ClearTimer(TimerKind.SCHEDULE_TO_START, 1),
        SetTimer(TimerKind.START_TO_CLOSE, 1, run.now + 9 * SECOND),
        SetTimer(TimerKind.HEARTBEAT, 1, run.now + 2 * SECOND),
    ]


def test_only_an_activity_that_waits_can_be_assigned() -> None:
    run = with_activity()
    start = i.StartActivity(seq=1, dispatch=100, session=SESSION, identity=IDENTITY)
    run.do(start)

    assert run.do(start).verdict is Verdict.STALE
    assert run.do(i.StartActivity(seq=9, dispatch=101, session="b", identity="")).verdict is (
        Verdict.STALE
    )


# ---------------------------------------------------------------- results


def test_a_result_resolves_the_activity_and_wakes_the_code() -> None:
    run = with_activity(start_to_close_us=9 * SECOND)
    dispatch = run.assign()

    decision = run.wait(SECOND).report(dispatch, result=RESULT)

    summary = AttemptSummary(attempts=1, started_time_us=T0, identity=IDENTITY)
    assert decision.events == [e.ActivityCompleted(seq=1, result=RESULT, summary=summary)]
    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=run.now)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [
        ClearTimer(TimerKind.START_TO_CLOSE, 1),
        DispatchWorkflowTask(),
    ]
    assert not run.state.activities


def test_a_result_reported_twice_is_taken_once() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.report(dispatch, result=RESULT)

    again = run.report(dispatch, result=RESULT)

    assert again.verdict is Verdict.STALE
    assert not again.changes


def test_a_report_with_an_older_dispatch_number_is_dropped() -> None:
    run = with_activity()
    first = run.assign()
    run.release(first)
    run.assign()

    assert run.report(first, result=RESULT).verdict is Verdict.STALE
    assert run.report(first, failure=BOOM).verdict is Verdict.STALE
    assert run.release(first).verdict is Verdict.STALE


# ---------------------------------------------------------------- retries


def test_a_failed_attempt_is_tried_again_after_a_pause() -> None:
    run = with_activity(start_to_close_us=SECOND, heartbeat_timeout_us=SECOND)
    dispatch = run.assign()

    decision = run.report(dispatch, failure=BOOM)

    due = T0 + SECOND
    assert decision.events == [
        e.ActivityRetryScheduled(seq=1, attempt=1, failure=BOOM, next_attempt_time_us=due)
    ]
    record = ActivityRecord(
        phase=ActivityPhase.BACKOFF,
        attempt=2,
        dispatch=dispatch,
        identity=IDENTITY,
        ready_since_us=T0,
        started_us=T0,
        due_us=due,
        last_failure=BOOM,
        heartbeat_us=T0,
    )
    assert decision.records == [PutActivityRecord(1, record)]
    assert decision.effects == [
        ClearTimer(TimerKind.START_TO_CLOSE, 1),
        ClearTimer(TimerKind.HEARTBEAT, 1),
        SetTimer(TimerKind.ACTIVITY_BACKOFF, 1, due),
    ]


def test_the_next_attempt_waits_for_a_worker_when_its_pause_is_over() -> None:
    run = with_activity(schedule_to_start_us=7 * SECOND)
    run.report(run.assign(), failure=BOOM)

    decision = run.wait(SECOND).fire(TimerKind.ACTIVITY_BACKOFF, 1)

    assert decision.effects == [
        ClearTimer(TimerKind.ACTIVITY_BACKOFF, 1),
        SetTimer(TimerKind.SCHEDULE_TO_START, 1, run.now + 7 * SECOND),
        DispatchActivity(1),
    ]
    record = run.state.activities[1].record
    assert record.phase is ActivityPhase.SCHEDULED
    assert record.attempt == 2
    assert record.ready_since_us == run.now
    assert record.last_failure == BOOM


def test_pauses_grow_by_the_policy_up_to_its_cap() -> None:
    policy = RetryPolicy(
        initial_interval_us=100, backoff_coefficient=3.0, maximum_interval_us=2_000
    )

    pauses = [activity_backoff_us(policy, attempt) for attempt in (1, 2, 3, 4, 5, 1_000_000)]

    assert pauses == [100, 300, 900, 2_000, 2_000, 2_000]


def test_the_last_attempt_fails_the_activity() -> None:
    run = with_activity(retry=RetryPolicy(maximum_attempts=2))
    run.report(run.assign(), failure=BOOM)
    run.wait(SECOND).fire(TimerKind.ACTIVITY_BACKOFF, 1)

    decision = run.report(run.assign(), failure=BOOM)

    summary = AttemptSummary(attempts=2, started_time_us=run.now, identity=IDENTITY)
    assert decision.events == [e.ActivityFailed(seq=1, failure=BOOM, summary=summary)]
    assert decision.effects == [DispatchWorkflowTask()]
    assert not run.state.activities


def test_failures_that_forbid_a_retry_fail_the_activity_at_once() -> None:
    cases = (
        (RetryPolicy(), Failure(type="ValueError", message="boom", non_retryable=True)),
        (RetryPolicy(non_retryable_error_types=("ValueError",)), BOOM),
        (ONCE, BOOM),
    )
    for policy, failure in cases:
        run = with_activity(retry=policy)
        decision = run.report(run.assign(), failure=failure)
        assert [type(x) for x in decision.events] == [e.ActivityFailed]


def test_no_retry_begins_beyond_schedule_to_close() -> None:
    run = with_activity(schedule_to_close_us=SECOND)

    decision = run.report(run.assign(), failure=BOOM)

    assert [type(x) for x in decision.events] == [e.ActivityFailed]
    assert ClearTimer(TimerKind.SCHEDULE_TO_CLOSE, 1) in decision.effects


def test_a_retry_that_begins_before_schedule_to_close_is_made() -> None:
    run = with_activity(schedule_to_close_us=SECOND + 1)

    decision = run.report(run.assign(), failure=BOOM)

    assert [type(x) for x in decision.events] == [e.ActivityRetryScheduled]
    assert ClearTimer(TimerKind.SCHEDULE_TO_CLOSE, 1) not in decision.effects


def test_only_the_first_ten_retries_are_recorded() -> None:
    policy = RetryPolicy(maximum_attempts=0)
    run = with_activity(retry=policy)
    for _ in range(12):
        run.report(run.assign(), failure=BOOM)
        run.wait(60 * SECOND).fire(TimerKind.ACTIVITY_BACKOFF, 1)

    assert run.types().count("ActivityRetryScheduled") == 10
    assert run.state.activities[1].record.attempt == 13


def test_how_many_retries_are_recorded_is_a_limit() -> None:
    run = with_activity(Limits(retry_events=0))

    assert run.report(run.assign(), failure=BOOM).events == []


# ---------------------------------------------------------------- cancellation


def test_an_activity_that_stopped_as_asked_is_canceled() -> None:
    outcomes: tuple[dict[str, Any], ...] = ({"canceled": STOPPED}, {"failure": BOOM})
    for outcome in outcomes:
        run = with_activity()
        dispatch = run.assign()
        run.signal()
        run.segment(i.RequestCancelActivity(seq=1))

        decision = run.report(dispatch, **outcome)

        failure = next(iter(outcome.values()))
        summary = AttemptSummary(1, T0, IDENTITY)
        assert decision.events == [e.ActivityCanceled(seq=1, failure=failure, summary=summary)]


def test_a_result_beats_the_cancel_request() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.signal()
    run.segment(i.RequestCancelActivity(seq=1))

    decision = run.report(dispatch, result=RESULT)

    assert [type(x) for x in decision.events] == [e.ActivityCompleted]


def test_an_activity_that_stops_without_being_asked_is_tried_again() -> None:
    run = with_activity()

    decision = run.report(run.assign(), canceled=STOPPED)

    assert [type(x) for x in decision.events] == [e.ActivityRetryScheduled]


# ---------------------------------------------------------------- lost workers


def test_a_lost_worker_uses_up_no_attempt() -> None:
    run = with_activity(start_to_close_us=SECOND, schedule_to_start_us=5 * SECOND)
    dispatch = run.assign()

    decision = run.wait(SECOND // 2).release(dispatch)

    assert decision.events == []
    record = run.state.activities[1].record
    assert record.phase is ActivityPhase.SCHEDULED
    assert (record.attempt, record.lost, record.assignee) == (1, 1, "")
    assert decision.effects == [
        ClearTimer(TimerKind.START_TO_CLOSE, 1),
        SetTimer(TimerKind.SCHEDULE_TO_START, 1, run.now + 5 * SECOND),
        DispatchActivity(1),
    ]


def test_a_second_lost_worker_makes_the_activity_wait() -> None:
    run = with_activity()
    run.release(run.assign())

    decision = run.release(run.assign())

    due = T0 + SECOND
    record = run.state.activities[1].record
    assert record.phase is ActivityPhase.BACKOFF
    assert (record.attempt, record.lost, record.due_us) == (1, 2, due)
    assert decision.effects == [SetTimer(TimerKind.ACTIVITY_BACKOFF, 1, due)]


def test_waits_after_lost_workers_grow_up_to_a_minute() -> None:
    waits = [lost_backoff_us(lost) // SECOND for lost in (1, 2, 3, 4, 8, 9, 10_000)]

    assert waits == [0, 1, 2, 4, 60, 60, 60]


def test_an_activity_handed_back_in_good_order_is_offered_at_once() -> None:
    run = with_activity()
    run.release(run.assign())

    decision = run.release(run.assign(), returned=True)

    assert decision.effects == [DispatchActivity(1)]
    assert run.state.activities[1].record.lost == 0


def test_an_activity_that_may_run_once_fails_with_its_worker() -> None:
    run = with_activity(retry=ONCE)

    decision = run.release(run.assign())

    failure = Failure(
        kind=FailureKind.WORKER_LOST,
        type="WorkerLost",
        message=f"worker {IDENTITY} is gone, and maximum_attempts=1 "
        "forbids to run the activity again",
        non_retryable=True,
    )
    summary = AttemptSummary(1, T0, IDENTITY)
    assert decision.events == [e.ActivityFailed(seq=1, failure=failure, summary=summary)]
    assert decision.effects == [DispatchWorkflowTask()]


def test_an_activity_that_should_stop_is_canceled_with_its_worker() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.signal()
    run.segment(i.RequestCancelActivity(seq=1))

    decision = run.release(dispatch)

    assert [type(x) for x in decision.events] == [e.ActivityCanceled]


def test_a_lost_worker_that_is_alive_after_all_may_still_report() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.release(dispatch)

    decision = run.report(dispatch, result=RESULT)

    assert [type(x) for x in decision.events] == [e.ActivityCompleted]


def test_the_failure_of_a_lost_worker_counts_as_an_attempt() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.release(dispatch)

    decision = run.report(dispatch, failure=BOOM)

    assert [type(x) for x in decision.events] == [e.ActivityRetryScheduled]
    assert run.state.activities[1].record.attempt == 2


def test_the_final_failure_of_a_lost_worker_fails_the_activity() -> None:
    run = with_activity(retry=RetryPolicy(maximum_attempts=2))
    run.report(run.assign(), failure=BOOM)
    run.wait(SECOND).fire(TimerKind.ACTIVITY_BACKOFF, 1)
    dispatch = run.assign()
    run.release(dispatch)

    decision = run.report(dispatch, failure=BOOM)

    assert [type(x) for x in decision.events] == [e.ActivityFailed]


def test_a_result_that_comes_after_its_attempt_was_given_up_still_counts() -> None:
    run = with_activity(start_to_close_us=SECOND)
    dispatch = run.assign()
    run.wait(SECOND).fire(TimerKind.START_TO_CLOSE, 1)
    assert run.state.activities[1].record.phase is ActivityPhase.BACKOFF

    decision = run.report(dispatch, result=RESULT)

    assert [type(x) for x in decision.events] == [e.ActivityCompleted]
    assert ClearTimer(TimerKind.ACTIVITY_BACKOFF, 1) in decision.effects


def test_a_failure_that_comes_after_its_attempt_was_given_up_does_not_count() -> None:
    run = with_activity(start_to_close_us=SECOND)
    dispatch = run.assign()
    run.wait(SECOND).fire(TimerKind.START_TO_CLOSE, 1)

    for outcome in ({"failure": BOOM}, {"canceled": STOPPED}, {"detached": True}):
        assert run.report(dispatch, **outcome).verdict is Verdict.STALE


def test_a_lost_worker_cannot_hand_on_what_is_offered_to_others() -> None:
    run = with_activity()
    dispatch = run.assign()
    run.release(dispatch)

    assert run.report(dispatch, detached=True).verdict is Verdict.STALE


# ---------------------------------------------------------------- elsewhere, and heartbeats


def test_an_activity_that_goes_on_elsewhere_does_not_need_its_worker() -> None:
    run = with_activity()
    dispatch = run.assign()

    decision = run.report(dispatch, detached=True)

    assert decision.events == []
    record = run.state.activities[1].record
    assert record.detached
    assert record.assignee == ""
    assert record.phase is ActivityPhase.STARTED
    assert run.release(dispatch).verdict is Verdict.STALE
    assert run.report(dispatch, result=RESULT).verdict is Verdict.ACCEPTED


def test_a_heartbeat_is_remembered_with_its_details() -> None:
    run = with_activity(heartbeat_timeout_us=SECOND)
    dispatch = run.assign()
    half = Payload("json", b"50")

    decision = run.wait(10).do(i.HeartbeatActivity(seq=1, dispatch=dispatch, details=half))

    assert decision.events == []
    assert decision.effects == [], "the timer looks when it comes due"
    record = run.state.activities[1].record
    assert (record.heartbeat_us, record.heartbeat_details) == (run.now, half)

    run.wait(10).do(i.HeartbeatActivity(seq=1, dispatch=dispatch))

    record = run.state.activities[1].record
    assert (record.heartbeat_us, record.heartbeat_details) == (run.now, half)


def test_the_next_attempt_has_the_last_heartbeats_details() -> None:
    run = with_activity()
    dispatch = run.assign()
    half = Payload("json", b"50")
    run.do(i.HeartbeatActivity(seq=1, dispatch=dispatch, details=half))
    run.report(dispatch, failure=BOOM)
    run.wait(SECOND).fire(TimerKind.ACTIVITY_BACKOFF, 1)
    run.assign()

    assert run.state.activities[1].record.heartbeat_details == half


@pytest.mark.parametrize("change", ["over", "older dispatch", "not started"])
def test_a_heartbeat_of_an_attempt_that_is_over_is_stale(change: str) -> None:
    run = with_activity()
    dispatch = run.assign()
    if change == "over":
        run.report(dispatch, result=RESULT)
    elif change == "older dispatch":
        run.release(dispatch)
        run.assign()
    else:
        run.report(dispatch, failure=BOOM)

    assert run.do(i.HeartbeatActivity(seq=1, dispatch=dispatch)).verdict is Verdict.STALE


def test_what_concerns_no_activity_is_stale() -> None:
    run = started()
    run.segment()

    assert run.report(1, result=RESULT).verdict is Verdict.STALE
    assert run.release(1).verdict is Verdict.STALE
    for kind in (
        TimerKind.ACTIVITY_BACKOFF,
        TimerKind.START_TO_CLOSE,
        TimerKind.HEARTBEAT,
        TimerKind.SCHEDULE_TO_CLOSE,
        TimerKind.SCHEDULE_TO_START,
    ):
        assert run.fire(kind, 1).verdict is Verdict.STALE

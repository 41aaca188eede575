"""An activity's life behind its scheduling: attempts, retries, time limits.

An attempt has a dispatch number. Whatever a worker says of it is taken only
while no newer number was issued, so that two workers can never both resolve
one activity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sched_server.core import events as e
from sched_server.core.decision import (
    ClearTimer,
    Decision,
    DispatchActivity,
    PutActivityRecord,
    SetTimer,
    StopAttempt,
    Verdict,
)
from sched_server.core.retry import activity_backoff_us, lost_backoff_us, may_retry
from sched_server.core.state import ActivityPhase
from sched_server.core.values import AttemptSummary, Failure, FailureKind, TimerKind

from .wake import drop_activity_timers, drop_attempt_timers, stop_attempt, wake

if TYPE_CHECKING:
    from sched_server.core.inputs import (
        HeartbeatActivity,
        ReleaseActivity,
        ReportActivity,
        StartActivity,
    )
    from sched_server.core.limits import Limits
    from sched_server.core.state import Activity, ExecutionState

_STALE = Verdict.STALE


def start_activity(
    state: ExecutionState,
    request: StartActivity,
    now: int,
    limits: Limits,  # noqa: ARG001 - one signature for all
) -> Decision:
    activity = state.activities.get(request.seq)
    if activity is None or activity.record.phase is not ActivityPhase.SCHEDULED:
        return Decision(verdict=_STALE)
    scheduled = activity.scheduled
    decision = Decision()
    record = msgspec.structs.replace(
        activity.record,
        phase=ActivityPhase.STARTED,
        dispatch=request.dispatch,
        assignee=request.session,
        identity=request.identity,
        detached=False,
        started_us=now,
        heartbeat_us=now,
    )
    decision.records.append(PutActivityRecord(request.seq, record))
    if scheduled.schedule_to_start_us:
        decision.effects.append(ClearTimer(TimerKind.SCHEDULE_TO_START, request.seq))
    if scheduled.start_to_close_us:
        due = now + scheduled.start_to_close_us
        decision.effects.append(SetTimer(TimerKind.START_TO_CLOSE, request.seq, due))
    if scheduled.heartbeat_timeout_us:
        due = now + scheduled.heartbeat_timeout_us
        decision.effects.append(SetTimer(TimerKind.HEARTBEAT, request.seq, due))
    return decision


def report(state: ExecutionState, request: ReportActivity, now: int, limits: Limits) -> Decision:
    activity = state.activities.get(request.seq)
    if activity is None or activity.record.dispatch != request.dispatch:
        return Decision(verdict=_STALE)
    if request.result is not None:
        resolution = e.ActivityCompleted(
            seq=request.seq, result=request.result, summary=_summary(activity)
        )
        return _resolve(state, request.seq, activity, resolution, now)
    if activity.record.phase is ActivityPhase.BACKOFF:
        return Decision(verdict=_STALE)  # this attempt was given up already
    if request.detached:
        if activity.record.phase is not ActivityPhase.STARTED:
            return Decision(verdict=_STALE)  # its worker counted as lost; it runs again
        return _detach(request.seq, activity)
    failure = request.canceled or request.failure
    assert failure is not None
    if activity.cancel_requested:
        canceled = e.ActivityCanceled(seq=request.seq, failure=failure, summary=_summary(activity))
        return _resolve(state, request.seq, activity, canceled, now)
    return _fail_attempt(state, request.seq, activity, failure, now, limits)


def heartbeat(
    state: ExecutionState,
    request: HeartbeatActivity,
    now: int,
    limits: Limits,  # noqa: ARG001
) -> Decision:
    activity = state.activities.get(request.seq)
    if (
        activity is None
        or activity.record.dispatch != request.dispatch
        or activity.record.phase is not ActivityPhase.STARTED
    ):
        return Decision(verdict=_STALE)
    record = msgspec.structs.replace(
        activity.record,
        heartbeat_us=now,
        heartbeat_details=request.details or activity.record.heartbeat_details,
    )
    return Decision(records=[PutActivityRecord(request.seq, record)])


def release(state: ExecutionState, request: ReleaseActivity, now: int, limits: Limits) -> Decision:  # noqa: ARG001
    """The worker is gone, or hands the activity back. This uses up no attempt,
    except where the activity may run at most once."""
    activity = state.activities.get(request.seq)
    if (
        activity is None
        or activity.record.dispatch != request.dispatch
        or activity.record.phase is not ActivityPhase.STARTED
        or activity.record.detached
    ):
        return Decision(verdict=_STALE)
    record = activity.record
    if activity.cancel_requested:
        failure = Failure(
            kind=FailureKind.CANCELED, type="WorkerLost", message="the activity's worker is gone"
        )
        canceled = e.ActivityCanceled(seq=request.seq, failure=failure, summary=_summary(activity))
        return _resolve(state, request.seq, activity, canceled, now)
    if activity.scheduled.retry.maximum_attempts == 1:
        failure = Failure(
            kind=FailureKind.WORKER_LOST,
            type="WorkerLost",
            message=f"worker {record.identity} is gone, and maximum_attempts=1 "
            "forbids to run the activity again",
            non_retryable=True,
        )
        failed = e.ActivityFailed(seq=request.seq, failure=failure, summary=_summary(activity))
        return _resolve(state, request.seq, activity, failed, now)
    decision = Decision()
    drop_attempt_timers(decision, request.seq, activity)
    lost = 0 if request.returned else record.lost + 1
    wait = lost_backoff_us(lost)
    record = msgspec.structs.replace(
        record,
        phase=ActivityPhase.BACKOFF if wait else ActivityPhase.SCHEDULED,
        assignee="",
        ready_since_us=now,
        due_us=now + wait if wait else 0,
        lost=lost,
    )
    decision.records.append(PutActivityRecord(request.seq, record))
    if wait:
        decision.effects.append(SetTimer(TimerKind.ACTIVITY_BACKOFF, request.seq, now + wait))
    else:
        _offer(decision, request.seq, activity, now)
    return decision


def back_off_over(state: ExecutionState, seq: int, now: int) -> Decision:
    activity = state.activities.get(seq)
    if activity is None or activity.record.phase is not ActivityPhase.BACKOFF:
        return Decision(verdict=_STALE)
    if now < activity.record.due_us:
        return Decision(
            verdict=_STALE,
            effects=[SetTimer(TimerKind.ACTIVITY_BACKOFF, seq, activity.record.due_us)],
        )
    decision = Decision()
    record = msgspec.structs.replace(
        activity.record, phase=ActivityPhase.SCHEDULED, ready_since_us=now, due_us=0
    )
    decision.records.append(PutActivityRecord(seq, record))
    decision.effects.append(ClearTimer(TimerKind.ACTIVITY_BACKOFF, seq))
    _offer(decision, seq, activity, now)
    return decision


def attempt_timed_out(
    state: ExecutionState, kind: TimerKind, seq: int, now: int, limits: Limits
) -> Decision:
    """start-to-close or heartbeat: ends the attempt; the retry policy decides."""
    activity = state.activities.get(seq)
    if activity is None or activity.record.phase is not ActivityPhase.STARTED:
        return Decision(verdict=_STALE)
    scheduled, record = activity.scheduled, activity.record
    if kind is TimerKind.HEARTBEAT:
        limit, name, since = scheduled.heartbeat_timeout_us, "heartbeat", record.heartbeat_us
    else:
        limit, name, since = scheduled.start_to_close_us, "start_to_close", record.started_us
    if not limit:
        return Decision(verdict=_STALE)
    if now < since + limit:
        return Decision(verdict=_STALE, effects=[SetTimer(kind, seq, since + limit)])
    failure = _timeout(name, limit, f"attempt {record.attempt} on {record.identity}")
    if activity.cancel_requested:
        decision = Decision()
        stop_attempt(decision, seq, activity, canceled=False)
        canceled = e.ActivityCanceled(seq=seq, failure=failure, summary=_summary(activity))
        resolved = _resolve(state, seq, activity, canceled, now)
        resolved.effects.extend(decision.effects)
        return resolved
    return _fail_attempt(state, seq, activity, failure, now, limits, stop=True)


def activity_timed_out(state: ExecutionState, kind: TimerKind, seq: int, now: int) -> Decision:
    """schedule-to-close or schedule-to-start: ends the activity for good."""
    activity = state.activities.get(seq)
    if activity is None:
        return Decision(verdict=_STALE)
    scheduled = activity.scheduled
    if kind is TimerKind.SCHEDULE_TO_CLOSE:
        limit, name = scheduled.schedule_to_close_us, "schedule_to_close"
        since = activity.scheduled_us
    else:
        limit, name = scheduled.schedule_to_start_us, "schedule_to_start"
        since = activity.record.ready_since_us
        if activity.record.phase is not ActivityPhase.SCHEDULED:
            return Decision(verdict=_STALE)
    if not limit:
        return Decision(verdict=_STALE)
    if now < since + limit:
        return Decision(verdict=_STALE, effects=[SetTimer(kind, seq, since + limit)])
    failure = _timeout(name, limit, f"attempt {activity.record.attempt}")
    if activity.record.last_failure is not None:
        failure = msgspec.structs.replace(failure, cause=activity.record.last_failure)
    timed_out = e.ActivityTimedOut(seq=seq, failure=failure, summary=_summary(activity))
    decision = _resolve(state, seq, activity, timed_out, now)
    stop_attempt(decision, seq, activity, canceled=False)
    return decision


def cancel_unstarted(seq: int, activity: Activity) -> e.ActivityCanceled | None:
    """The resolution of a canceled activity that no worker runs."""
    if activity.record.phase is ActivityPhase.STARTED:
        return None
    failure = Failure(
        kind=FailureKind.CANCELED,
        type="CanceledError",
        message="canceled before it was started"
        if activity.record.attempt == 1
        else f"canceled before attempt {activity.record.attempt}",
        cause=activity.record.last_failure,
    )
    return e.ActivityCanceled(seq=seq, failure=failure, summary=_summary(activity))


def _fail_attempt(
    state: ExecutionState,
    seq: int,
    activity: Activity,
    failure: Failure,
    now: int,
    limits: Limits,
    *,
    stop: bool = False,
) -> Decision:
    """Retry by policy, or fail for good."""
    policy = activity.scheduled.retry
    attempt = activity.record.attempt
    due = now + activity_backoff_us(policy, attempt)
    deadline = activity.scheduled_us + activity.scheduled.schedule_to_close_us
    in_time = not activity.scheduled.schedule_to_close_us or due < deadline
    stops: list[StopAttempt] = []
    record = activity.record
    if stop and record.assignee:
        stops.append(StopAttempt(seq, record.dispatch, record.assignee, canceled=False))
    if not (may_retry(policy, attempt, failure) and in_time):
        kind = e.ActivityTimedOut if failure.kind == FailureKind.TIMEOUT else e.ActivityFailed
        resolution = kind(seq=seq, failure=failure, summary=_summary(activity))
        decision = _resolve(state, seq, activity, resolution, now)
        decision.effects.extend(stops)
        return decision
    decision = Decision()
    drop_attempt_timers(decision, seq, activity)
    decision.effects.extend(stops)
    if attempt <= limits.retry_events:
        decision.events.append(
            e.ActivityRetryScheduled(
                seq=seq, attempt=attempt, failure=failure, next_attempt_time_us=due
            )
        )
    next_record = msgspec.structs.replace(
        record,
        phase=ActivityPhase.BACKOFF,
        attempt=attempt + 1,
        assignee="",
        detached=False,
        due_us=due,
        last_failure=failure,
        lost=0,
    )
    decision.records.append(PutActivityRecord(seq, next_record))
    decision.effects.append(SetTimer(TimerKind.ACTIVITY_BACKOFF, seq, due))
    return decision


def _resolve(
    state: ExecutionState,
    seq: int,
    activity: Activity,
    resolution: (e.ActivityCompleted | e.ActivityFailed | e.ActivityTimedOut | e.ActivityCanceled),
    now: int,
) -> Decision:
    decision = Decision(events=[resolution])
    drop_activity_timers(decision, seq, activity)
    wake(state, decision, now)
    return decision


def _detach(seq: int, activity: Activity) -> Decision:
    record = msgspec.structs.replace(activity.record, assignee="", detached=True)
    return Decision(records=[PutActivityRecord(seq, record)])


def _offer(decision: Decision, seq: int, activity: Activity, now: int) -> None:
    if activity.scheduled.schedule_to_start_us:
        due = now + activity.scheduled.schedule_to_start_us
        decision.effects.append(SetTimer(TimerKind.SCHEDULE_TO_START, seq, due))
    decision.effects.append(DispatchActivity(seq))


def _summary(activity: Activity) -> AttemptSummary:
    record = activity.record
    return AttemptSummary(record.attempt, record.started_us, record.identity)


def _timeout(name: str, limit_us: int, what: str) -> Failure:
    return Failure(
        kind=FailureKind.TIMEOUT,
        type=name,
        message=f"{what} was over its {name} limit of {limit_us / 1_000_000:g} s",
    )

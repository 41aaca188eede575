"""Events: the recorded facts of a run, one struct a type.

`Event` pairs attributes with an id and a time. The numbers in `EVENT_TYPES`
are those of the API and are stored.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from .values import AttemptSummary, Failure, HistoryOrigin, Payload, RetryPolicy


class WorkflowStarted(Struct, frozen=True, kw_only=True):
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    input: tuple[Payload, ...]
    execution_timeout_us: int
    start_delay_us: int
    seed: int
    request_id: str
    identity: str
    previous_run_id: str
    traceparent: str = ""
    tracestate: str = ""
    origin: HistoryOrigin | None = None


class WorkflowTaskCompleted(Struct, frozen=True, kw_only=True):
    seen: int
    more: bool
    base: int
    segment_id: int
    identity: str
    build_id: str
    sdk: str
    sdk_flags: tuple[int, ...]
    patches: tuple[str, ...] = ()
    """Ids of the markers in this segment: replay asks before it reaches them."""
    details: str | None = None
    """What the code says it is doing, for people; None: what it said before."""


class WorkflowTaskFailed(Struct, frozen=True, kw_only=True):
    cause: int
    failure: Failure
    identity: str
    build_id: str


class ActivityScheduled(Struct, frozen=True, kw_only=True):
    seq: int
    name: str
    task_queue: str
    input: tuple[Payload, ...]
    retry: RetryPolicy
    start_to_close_us: int
    schedule_to_close_us: int
    schedule_to_start_us: int
    heartbeat_timeout_us: int
    summary: str
    call_site: str


class ActivityCompleted(Struct, frozen=True, kw_only=True):
    seq: int
    result: Payload
    summary: AttemptSummary


class ActivityFailed(Struct, frozen=True, kw_only=True):
    seq: int
    failure: Failure
    summary: AttemptSummary


class ActivityTimedOut(Struct, frozen=True, kw_only=True):
    seq: int
    failure: Failure
    summary: AttemptSummary


class ActivityCanceled(Struct, frozen=True, kw_only=True):
    seq: int
    failure: Failure
    summary: AttemptSummary


class ActivityCancelRequested(Struct, frozen=True, kw_only=True):
    seq: int
    moot: bool
    call_site: str


class ActivityRetryScheduled(Struct, frozen=True, kw_only=True):
    seq: int
    attempt: int
    failure: Failure
    next_attempt_time_us: int


class TimerScheduled(Struct, frozen=True, kw_only=True):
    seq: int
    duration_us: int
    due_time_us: int
    call_site: str


class TimerFired(Struct, frozen=True, kw_only=True):
    seq: int


class TimerCanceled(Struct, frozen=True, kw_only=True):
    seq: int
    moot: bool
    call_site: str


class SignalReceived(Struct, frozen=True, kw_only=True):
    name: str
    input: tuple[Payload, ...]
    request_id: str
    identity: str


class WorkflowCancelRequested(Struct, frozen=True, kw_only=True):
    reason: str
    request_id: str
    identity: str


class StepCompleted(Struct, frozen=True, kw_only=True):
    seq: int
    name: str
    result: Payload
    attempt: int
    deferred: bool
    duration_us: int
    call_site: str


class StepFailed(Struct, frozen=True, kw_only=True):
    seq: int
    name: str
    failure: Failure
    attempt: int
    deferred: bool
    retry_after_us: int
    duration_us: int
    call_site: str


class WorkflowCompleted(Struct, frozen=True, kw_only=True):
    result: Payload


class WorkflowFailed(Struct, frozen=True, kw_only=True):
    failure: Failure


class WorkflowCanceled(Struct, frozen=True, kw_only=True):
    failure: Failure


class WorkflowTerminated(Struct, frozen=True, kw_only=True):
    reason: str
    request_id: str
    identity: str
    new_run_id: str = ""
    """The run that goes on instead, when the run was reset."""


class WorkflowTimedOut(Struct, frozen=True, kw_only=True):
    failure: Failure


class MarkerRecorded(Struct, frozen=True, kw_only=True):
    """A decision of the code that replay repeats."""

    kind: int
    id: str
    call_site: str


Attributes: TypeAlias = (
    WorkflowStarted
    | WorkflowTaskCompleted
    | WorkflowTaskFailed
    | ActivityScheduled
    | ActivityCompleted
    | ActivityFailed
    | ActivityTimedOut
    | ActivityCanceled
    | ActivityCancelRequested
    | ActivityRetryScheduled
    | TimerScheduled
    | TimerFired
    | TimerCanceled
    | SignalReceived
    | WorkflowCancelRequested
    | StepCompleted
    | StepFailed
    | WorkflowCompleted
    | WorkflowFailed
    | WorkflowCanceled
    | WorkflowTerminated
    | WorkflowTimedOut
    | MarkerRecorded
)

TerminalAttributes: TypeAlias = (
    WorkflowCompleted | WorkflowFailed | WorkflowCanceled | WorkflowTerminated | WorkflowTimedOut
)


class Event(Struct, frozen=True):
    event_id: int
    time_us: int
    attributes: Attributes


EVENT_TYPES: dict[type, int] = {
    WorkflowStarted: 1,
    WorkflowTaskCompleted: 2,
    WorkflowTaskFailed: 3,
    ActivityScheduled: 4,
    ActivityCompleted: 5,
    ActivityFailed: 6,
    ActivityTimedOut: 7,
    ActivityCanceled: 8,
    ActivityCancelRequested: 9,
    ActivityRetryScheduled: 10,
    TimerScheduled: 11,
    TimerFired: 12,
    TimerCanceled: 13,
    SignalReceived: 14,
    WorkflowCancelRequested: 15,
    StepCompleted: 16,
    StepFailed: 17,
    WorkflowCompleted: 18,
    WorkflowFailed: 19,
    WorkflowCanceled: 20,
    WorkflowTerminated: 21,
    WorkflowTimedOut: 22,
    MarkerRecorded: 23,
}

TERMINAL: frozenset[type] = frozenset(
    {WorkflowCompleted, WorkflowFailed, WorkflowCanceled, WorkflowTerminated, WorkflowTimedOut}
)

# What the code is given (beside deferred step outcomes).
DELIVERED: frozenset[type] = frozenset(
    {
        WorkflowStarted,
        ActivityCompleted,
        ActivityFailed,
        ActivityTimedOut,
        ActivityCanceled,
        TimerFired,
        SignalReceived,
        WorkflowCancelRequested,
    }
)

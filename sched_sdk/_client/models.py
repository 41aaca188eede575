"""What the client returns: plain, frozen data.

Times are timezone-aware datetimes (UTC); what is not known or not yet so is
None. Payloads are decoded to plain Python values (dicts, lists, strings,
numbers, booleans, None, or bytes); a payload in an unknown encoding stays a
`bytes` value. Failures are exceptions with their `__cause__` chain, ready to
be raised or shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from sched_sdk.api.v1 import history_pb2
    from sched_sdk.errors import FailureError

__all__ = [
    "ClockStatus",
    "ClusterStatus",
    "EngineRole",
    "Event",
    "LastEvent",
    "LatencyTotal",
    "PendingActivity",
    "PendingTimer",
    "PendingWorkflowTask",
    "QueueStatus",
    "StandbyStatus",
    "StoreStatus",
    "TaskQueueStatus",
    "TaskState",
    "TimeAdvance",
    "WorkerStatus",
    "WorkflowCount",
    "WorkflowDescription",
    "WorkflowInfo",
    "WorkflowStatus",
]


class WorkflowStatus(StrEnum):
    """How a run stands. Everything but RUNNING is final."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TERMINATED = "TERMINATED"
    TIMED_OUT = "TIMED_OUT"
    CONTINUED_AS_NEW = "CONTINUED_AS_NEW"

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return self is not WorkflowStatus.RUNNING


class TaskState(StrEnum):
    """Where a pending task is."""

    SCHEDULED = "SCHEDULED"
    """Waits for a worker."""
    STARTED = "STARTED"
    """A worker has it."""
    BACKOFF = "BACKOFF"
    """Waits for its next attempt."""


class EngineRole(StrEnum):
    """What an engine does at the moment."""

    LEADER = "LEADER"
    STANDBY = "STANDBY"
    RECOVERING = "RECOVERING"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastEvent:
    """What happened last in a run."""

    type: str
    """As of `Event`: "TimerScheduled"; "Unknown" when the engine is newer than this SDK."""
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowInfo:
    """One run, as lists show it."""

    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    status: WorkflowStatus
    start_time: datetime
    close_time: datetime | None
    history_length: int
    """How many events the run has."""
    build_id: str = ""
    """Of the worker that completed the last workflow task; empty before the first."""
    last_event: LastEvent | None = None
    """None in a list that was not asked for it (`with_last_event`)."""
    details: str = ""
    """What the workflow says it is doing (`set_details`); empty if it says nothing.
    In a list that was asked for it (`with_details`) the first line, of at most 200
    characters, and empty in others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingWorkflowTask:
    """The workflow's code has something to do."""

    state: TaskState
    attempt: int
    """1 for the first try; above 1, `last_failure` says why."""
    has_worker: bool
    """A connected worker serves this workflow type on this task queue."""
    queue_has_workers: bool
    """Workers are connected on the task queue, whatever they serve."""
    identity: str
    """The worker that holds the task; empty when none does."""
    due_time: datetime | None
    """When the task is given out again (BACKOFF)."""
    last_failure_cause: str
    """NON_DETERMINISM, SDK_ERROR, INVALID_COMMAND, LIMIT_EXCEEDED, WORKER_LOST,
    BLOCKED, or empty."""
    last_failure: FailureError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingActivity:
    """An activity that was scheduled and has not ended."""

    seq: int
    name: str
    task_queue: str
    state: TaskState
    attempt: int
    maximum_attempts: int
    """0: without limit."""
    has_worker: bool
    """A connected worker serves this activity on this task queue."""
    queue_has_workers: bool
    """Workers are connected on the task queue, whatever they serve."""
    identity: str
    """The worker that runs it; empty when none does."""
    scheduled_time: datetime | None
    started_time: datetime | None
    due_time: datetime | None
    """When the next attempt becomes due (BACKOFF)."""
    last_failure: FailureError | None
    heartbeat_details: Any
    last_heartbeat_time: datetime | None
    cancel_requested: bool
    call_site: str
    """Where workflow code asked for it, "file:line"; may be empty."""
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTimer:
    """A timer that has not fired."""

    seq: int
    due_time: datetime
    call_site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOrigin:
    """Whose history the first events of a reset or forked run are."""

    workflow_id: str
    run_id: str
    event_id: int
    """Events up to this id are the other run's."""
    signals: int
    """So many signals directly behind them came to the other run later."""
    time: datetime
    """When the copy was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDescription:
    """Everything the engine knows of one run, except its history."""

    info: WorkflowInfo
    input: tuple[Any, ...]
    """The arguments it was started with."""
    result: Any
    """What it returned (COMPLETED); else None."""
    failure: FailureError | None
    """Why it ended, when it ended otherwise than COMPLETED."""
    execution_deadline: datetime | None
    cancel_requested: bool
    workflow_task: PendingWorkflowTask | None
    """Set while the workflow's code has something to do."""
    activities: tuple[PendingActivity, ...]
    timers: tuple[PendingTimer, ...]
    history_bytes: int
    origin: HistoryOrigin | None = None
    """Set for a run that began as a copy of another's history (reset, fork)."""
    new_run_id: str = ""
    """The run that goes on instead, when this one was reset."""

    @property
    def status(self) -> WorkflowStatus:
        """The same as `info.status`."""
        return self.info.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact of a run's history."""

    event_id: int
    type: str
    """"WorkflowStarted", "ActivityScheduled" …; "Unknown" (with the number in
    `raw.type`) when the engine is newer than this SDK."""
    time: datetime
    attributes: Mapping[str, Any] = field(hash=False)
    """The event's fields by name, in the order of the API definition. Fields
    ending in `_time_us` become datetimes named `…_time`, other `_us` fields
    timedeltas without the ending; payloads are decoded, failures are dicts with
    the keys kind, type, message, traceback, details, cause. A field that is not
    set is left out."""
    raw: history_pb2.HistoryEvent = field(repr=False, compare=False)
    """The event as the engine stores it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowCount:
    """How many workflows match a filter."""

    total: int
    by_status: Mapping[WorkflowStatus, int] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A connected worker."""

    identity: str
    build_id: str
    sdk: str
    task_queue: str
    workflow_types: tuple[str, ...]
    activity_names: tuple[str, ...]
    workflow_task_slots: int
    workflow_tasks_running: int
    activity_slots: int
    activities_running: int
    draining: bool
    connected_time: datetime | None
    last_heard_time: datetime | None = None
    """When its last message came; None from an engine that does not say. An idle
    worker says every few seconds that it is there; one that is gone is not listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQueueStatus:
    """A task queue that has workers or tasks."""

    name: str
    workers: int
    pending_workflow_tasks: int
    """How many wait for a worker."""
    pending_activity_tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyStatus:
    """An engine that waits to lead."""

    address: str
    since_time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """What delivers tasks that no worker could take at once."""

    description: str
    """"in the engine's memory", or "Redis 6.2.7 at cache:6379"."""
    connected: bool
    last_error: str
    """Why it is not connected; empty when all is well."""
    warnings: tuple[str, ...]
    """What works but should be set otherwise, each with its remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """How the database of the answering engine is."""

    connected: bool
    """It answers this engine in time."""
    last_error: str
    """Why it does not, or does not take what is written; empty when all is well."""
    warnings: tuple[str, ...]
    """What works but should be set otherwise, each with its remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStatus:
    """The clocks of the answering engine, as it answered."""

    machine_time: datetime | None
    """Of the machine that it runs on; None from an engine that does not say."""
    cluster_time: datetime | None
    """What timers go by; known to the leader only."""
    advanced: timedelta
    """How far cluster time was moved ahead, on a dev server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTotal:
    """How often something was measured since the engine's process began, and how long
    it took altogether. Between two looks, the mean is the difference of `total` by that
    of `count`."""

    count: int
    total: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeAdvance:
    """How far the clock of a dev server was moved."""

    advanced: timedelta
    timers_fired: int
    workflows_touched: int
    """Workflows of which a timer fired."""
    workflow_ids: tuple[str, ...]
    """Of the first hundred of them."""
    cluster_time: datetime
    """What timers go by now."""
    stopped_by: str
    """Work that did not end in time, so that it did not come further; empty if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """What an engine says of itself, and of the cluster as far as it knows it."""

    role: EngineRole
    address: str
    """The address that answered."""
    epoch: int
    """Of the current leader; 0 when nobody leads."""
    leader_address: str
    """Where the leader is; empty when nobody leads."""
    standbys: tuple[StandbyStatus, ...]
    version: str
    store: str
    """"sqlite .sched/dev.db"."""
    store_status: StoreStatus
    """While the store is not connected, the engine cannot know who leads and who
    stands by, and the number of open workflows is an old one, or 0."""
    started_time: datetime | None
    open_workflows: int
    queue: QueueStatus | None
    """Known to the leader only, as are workers and task queues."""
    workers: tuple[WorkerStatus, ...]
    task_queues: tuple[TaskQueueStatus, ...]
    clock: ClockStatus
    commit_latency: LatencyTotal | None = None
    """Of the leader: how long batches took to become durable."""
    dispatch_latency: LatencyTotal | None = None
    """Of the leader: how long what was to be sent to a worker waited for its stream."""

"""The state of one run: the fold of its history plus its pending records.

*Pending records* are facts that are overwritten rather than appended: which
attempt an activity is in and who runs it, how often the workflow task failed.
They are rows, stored in the commit that changes them and put back on load, so
that the state after a restart equals the state before it.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct, field

from .events import ActivityScheduled, TerminalAttributes
from .values import Failure, Payload, Status

# Request ids of signals that are remembered per run, the newest ones.
REMEMBERED_SIGNALS = 1_000


class ActivityPhase(IntEnum):
    """SCHEDULED: waits for a worker. STARTED: a worker has it (or it goes on
    elsewhere). BACKOFF: failed, waits for its next attempt."""

    SCHEDULED = 1
    STARTED = 2
    BACKOFF = 3


class ActivityRecord(Struct, kw_only=True, frozen=True):
    """The pending record of an activity."""

    phase: ActivityPhase = ActivityPhase.SCHEDULED
    attempt: int = 1
    dispatch: int = 0
    """The number of the last push; an answer must name it."""
    assignee: str = ""
    """The worker session that runs it; empty when none does."""
    identity: str = ""
    """That worker's (or the last worker's) name for people."""
    detached: bool = False
    """It goes on outside the worker; a lost worker does not matter."""
    ready_since_us: int = 0
    started_us: int = 0
    due_us: int = 0
    """When the next attempt becomes due (BACKOFF)."""
    last_failure: Failure | None = None
    heartbeat_us: int = 0
    heartbeat_details: Payload | None = None
    lost: int = 0
    """How many workers were lost with this attempt, in a row."""


class Activity(Struct, kw_only=True):
    """An activity that is not resolved."""

    scheduled: ActivityScheduled
    scheduled_us: int
    cancel_requested: bool = False
    record: ActivityRecord


class TaskPhase(IntEnum):
    """Of the workflow task. IDLE: the code has nothing to do. SCHEDULED: it
    has; a worker may hold the task. BACKOFF: failed, or a delayed start."""

    IDLE = 0
    SCHEDULED = 1
    BACKOFF = 2


class WorkflowTaskRecord(Struct, kw_only=True, frozen=True):
    """The pending record of the workflow task."""

    phase: TaskPhase = TaskPhase.IDLE
    attempt: int = 1
    ready_since_us: int = 0
    due_us: int = 0
    close_refusals: int = 0
    """Closes refused in a row because of a signal that the code had not seen."""
    lost: int = 0
    """Workers lost with this task, in a row."""
    failure_cause: int = 0
    failure: Failure | None = None
    failed_build: str = ""
    """The build of the worker that reported it; may be empty."""


IDLE_TASK = WorkflowTaskRecord()


class PendingTimer(Struct, frozen=True, gc=False):
    due_us: int
    call_site: str


class ExecutionState(Struct, kw_only=True):
    """Only `evolve` and `put_record` change it."""

    status: Status = Status.NEW
    workflow_id: str = ""
    run_id: str = ""
    workflow_type: str = ""
    task_queue: str = ""
    start_request_id: str = ""
    traceparent: str = ""
    """The trace context of whoever started the run; empty: it had none."""
    tracestate: str = ""
    started_us: int = 0
    """Of a reset or forked run: when it began, not when its history did."""
    execution_timeout_us: int = 0
    last_event_id: int = 0
    last_time_us: int = 0
    history_bytes: int = 0
    """Serialized size of the events; whoever serializes them keeps it."""
    base: int = 0
    """The id of the last WorkflowTaskCompleted."""
    base_time_us: int = 0
    seen: int = 0
    """The id of the last event that the code was given, as of `base`."""
    segment_id: int = 0
    """Of the last accepted segment."""
    build_id: str = ""
    """Of the worker that completed the last workflow task."""
    pinned_build: str = ""
    """The last good build, since another one parted from the history; empty
    again once another one gets past it."""
    details: str = ""
    """What the code says it is doing, for people."""
    last_seq: int = 0
    """The highest command number used."""
    last_scheduled_seq: int = 0
    """The highest number of an activity or a timer; these come in order."""
    unseen: list[int] = field(default_factory=list)
    """Events for the code that no accepted segment has seen."""
    unseen_signals: list[int] = field(default_factory=list)
    activities: dict[int, Activity] = field(default_factory=dict)
    timers: dict[int, PendingTimer] = field(default_factory=dict)
    signal_request_ids: dict[str, None] = field(default_factory=dict)
    cancel_requested: bool = False
    cancel_request_id: str = ""
    task: WorkflowTaskRecord = IDLE_TASK
    outcome: TerminalAttributes | None = None

    @property
    def execution_deadline_us(self) -> int:
        """0: none."""
        if not self.execution_timeout_us:
            return 0
        return self.started_us + self.execution_timeout_us

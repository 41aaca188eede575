"""Values that events, inputs and state share. All are immutable."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Payload(Struct, frozen=True, gc=False):
    """One encoded value of the user's; never looked into."""

    encoding: str
    data: bytes


class FailureKind(IntEnum):
    """Numbers as in the API."""

    APPLICATION = 1
    TIMEOUT = 2
    CANCELED = 3
    TERMINATED = 4
    WORKER_LOST = 5
    ACTIVITY = 6


class Failure(Struct, frozen=True):
    """An exception that crossed a process boundary."""

    kind: int = FailureKind.APPLICATION
    type: str = ""
    message: str = ""
    traceback: str = ""
    cause: Failure | None = None
    details: tuple[Payload, ...] = ()
    non_retryable: bool = False
    activity_name: str = ""


class RetryPolicy(Struct, frozen=True, gc=False):
    """When a failed activity is tried again. The defaults are the API's."""

    initial_interval_us: int = 1_000_000
    backoff_coefficient: float = 2.0
    maximum_interval_us: int = 60_000_000
    maximum_attempts: int = 5
    """0: without limit."""
    non_retryable_error_types: tuple[str, ...] = ()


class AttemptSummary(Struct, frozen=True, gc=False):
    """The last attempt of an activity, and how many there were."""

    attempts: int
    started_time_us: int
    identity: str


class HistoryOrigin(Struct, frozen=True, gc=False):
    """Whose history the first events of a reset or forked run are copied from."""

    workflow_id: str
    run_id: str
    event_id: int
    """Events up to this id are the other run's."""
    signals: int
    """So many signals directly behind them came to the other run later."""
    time_us: int
    """When the copy was made. Time limits count from here."""


class MarkerKind(IntEnum):
    """What a marker records. Numbers as in the API."""

    PATCH = 1
    DEPRECATED_PATCH = 2


class Status(IntEnum):
    """Of a run. NEW is before WorkflowStarted and is never stored."""

    NEW = 0
    RUNNING = 1
    COMPLETED = 2
    FAILED = 3
    CANCELED = 4
    TERMINATED = 5
    TIMED_OUT = 6
    CONTINUED_AS_NEW = 7


class TaskFailureCause(IntEnum):
    """Why a workflow task failed. Numbers as in the API."""

    NON_DETERMINISM = 1
    SDK_ERROR = 2
    INVALID_COMMAND = 3
    LIMIT_EXCEEDED = 4
    WORKER_LOST = 5
    BLOCKED = 6
    FORBIDDEN_CALL = 7


class TimerKind(IntEnum):
    """What becomes due. Numbers are stored."""

    USER = 1
    ACTIVITY_BACKOFF = 2
    START_TO_CLOSE = 3
    SCHEDULE_TO_CLOSE = 4
    SCHEDULE_TO_START = 5
    HEARTBEAT = 6
    EXECUTION_TIMEOUT = 7
    WORKFLOW_TASK_BACKOFF = 8

"""Inputs: what a client, a worker or a due timer asks of one run.

A *request* comes from outside; a *command* is what workflow code asked for and
travels inside a `CompleteSegment`.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from .events import SignalReceived
from .values import Failure, Payload, RetryPolicy, TimerKind

# ---------------------------------------------------------------- requests


class StartWorkflow(Struct, frozen=True, kw_only=True):
    workflow_id: str
    run_id: str
    workflow_type: str
    task_queue: str
    input: tuple[Payload, ...] = ()
    execution_timeout_us: int = 0
    start_delay_us: int = 0
    seed: int = 0
    request_id: str = ""
    identity: str = ""
    previous_run_id: str = ""
    traceparent: str = ""
    tracestate: str = ""


class SignalWorkflow(Struct, frozen=True, kw_only=True):
    name: str
    input: tuple[Payload, ...] = ()
    request_id: str = ""
    identity: str = ""


class CancelWorkflow(Struct, frozen=True, kw_only=True):
    reason: str = ""
    request_id: str = ""
    identity: str = ""


class TerminateWorkflow(Struct, frozen=True, kw_only=True):
    reason: str = ""
    request_id: str = ""
    identity: str = ""
    new_run_id: str = ""
    """The run that goes on instead, when this one is reset."""


class ResumeCopy(Struct, frozen=True, kw_only=True):
    """A new run has been given a copy of another run's first events: go on from
    there."""

    signals: tuple[SignalReceived, ...] = ()
    """What came to the other run behind those events."""


class FailWorkflowTask(Struct, frozen=True, kw_only=True):
    base: int
    cause: int
    failure: Failure
    identity: str = ""
    build_id: str = ""


class LoseWorkflowTask(Struct, frozen=True, kw_only=True):
    """The worker that held the task is gone, or let it time out."""

    identity: str = ""
    returned: bool = False
    """Handed back in good order: no sign that the task harms workers."""


class HastenWorkflowTask(Struct, frozen=True, kw_only=True):
    """A worker with other code came: do not wait for the backoff."""


class StartActivity(Struct, frozen=True, kw_only=True):
    """A worker session is about to get this activity."""

    seq: int
    dispatch: int
    session: str
    identity: str


class ReportActivity(Struct, frozen=True, kw_only=True):
    """How an attempt ended: exactly one of the outcomes is set."""

    seq: int
    dispatch: int
    result: Payload | None = None
    failure: Failure | None = None
    canceled: Failure | None = None
    detached: bool = False


class HeartbeatActivity(Struct, frozen=True, kw_only=True):
    seq: int
    dispatch: int
    details: Payload | None = None
    """None keeps the last details."""


class ReleaseActivity(Struct, frozen=True, kw_only=True):
    """The worker that ran it is gone, or hands it back unfinished."""

    seq: int
    dispatch: int
    returned: bool = False


class FireTimer(Struct, frozen=True, kw_only=True):
    kind: TimerKind
    seq: int


# ---------------------------------------------------------------- commands


class ScheduleActivity(Struct, frozen=True, kw_only=True):
    seq: int
    call_site: str = ""
    name: str
    task_queue: str = ""
    """Empty: the workflow's."""
    input: tuple[Payload, ...] = ()
    retry: RetryPolicy = RetryPolicy()
    start_to_close_us: int = 0
    schedule_to_close_us: int = 0
    schedule_to_start_us: int = 0
    heartbeat_timeout_us: int = 0
    summary: str = ""


class RequestCancelActivity(Struct, frozen=True, kw_only=True):
    seq: int
    call_site: str = ""


class StartTimer(Struct, frozen=True, kw_only=True):
    seq: int
    call_site: str = ""
    duration_us: int


class CancelTimer(Struct, frozen=True, kw_only=True):
    seq: int
    call_site: str = ""


class RecordStep(Struct, frozen=True, kw_only=True):
    """A step's outcome: `result` or `failure`."""

    seq: int
    call_site: str = ""
    name: str
    attempt: int = 1
    duration_us: int = 0
    retry_after_us: int = 0
    result: Payload | None = None
    failure: Failure | None = None


class RecordMarker(Struct, frozen=True, kw_only=True):
    """A decision to repeat in replay, such as the path a patch takes. It has no
    number: code that stops asking must not shift those of the commands behind it."""

    call_site: str = ""
    kind: int
    id: str


class CompleteWorkflow(Struct, frozen=True, kw_only=True):
    result: Payload


class FailWorkflow(Struct, frozen=True, kw_only=True):
    failure: Failure


class CancelWorkflowExecution(Struct, frozen=True, kw_only=True):
    failure: Failure


Command: TypeAlias = (
    ScheduleActivity
    | RequestCancelActivity
    | StartTimer
    | CancelTimer
    | RecordStep
    | RecordMarker
    | CompleteWorkflow
    | FailWorkflow
    | CancelWorkflowExecution
)

CLOSING: frozenset[type] = frozenset({CompleteWorkflow, FailWorkflow, CancelWorkflowExecution})


class CompleteSegment(Struct, frozen=True, kw_only=True):
    base: int
    seen: int
    more: bool = False
    segment_id: int = 0
    commands: tuple[Command, ...] = ()
    identity: str = ""
    build_id: str = ""
    sdk: str = ""
    sdk_flags: tuple[int, ...] = ()
    details: str | None = None
    """What the code says it is doing, for people; None: what it said before."""


Input: TypeAlias = (
    StartWorkflow
    | SignalWorkflow
    | CancelWorkflow
    | TerminateWorkflow
    | ResumeCopy
    | CompleteSegment
    | FailWorkflowTask
    | LoseWorkflowTask
    | HastenWorkflowTask
    | StartActivity
    | ReportActivity
    | HeartbeatActivity
    | ReleaseActivity
    | FireTimer
)

"""Which transitions are legal, as tables.

Four small machines make up a run:

    run        NEW ─started→ RUNNING ─terminal event→ COMPLETED, FAILED, …
    task       IDLE ⇄ SCHEDULED ⇄ BACKOFF          (pending record)
    activity   ABSENT ─scheduled→ SCHEDULED ⇄ STARTED ⇄ BACKOFF ─resolved→ ABSENT
    timer      ABSENT ─scheduled→ PENDING ─fired, canceled→ ABSENT

`evolve` and `put_record` look every step up here; a pair that is not listed is
a bug and raises `IllegalTransition`, before anything could be stored.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from . import events as e
from .state import ActivityPhase, TaskPhase
from .values import Status

if TYPE_CHECKING:
    from collections.abc import Mapping


class IllegalTransition(AssertionError):  # noqa: N818
    """The engine tried what the tables do not allow."""


class Timer(Enum):
    ABSENT = 0
    PENDING = 1


_STAYS_RUNNING = (
    e.WorkflowTaskCompleted,
    e.WorkflowTaskFailed,
    e.ActivityScheduled,
    e.ActivityCompleted,
    e.ActivityFailed,
    e.ActivityTimedOut,
    e.ActivityCanceled,
    e.ActivityCancelRequested,
    e.ActivityRetryScheduled,
    e.TimerScheduled,
    e.TimerFired,
    e.TimerCanceled,
    e.SignalReceived,
    e.WorkflowCancelRequested,
    e.StepCompleted,
    e.StepFailed,
    e.MarkerRecorded,
)

RUN: Mapping[tuple[Status, type], Status] = {
    (Status.NEW, e.WorkflowStarted): Status.RUNNING,
    **{(Status.RUNNING, kind): Status.RUNNING for kind in _STAYS_RUNNING},
    (Status.RUNNING, e.WorkflowCompleted): Status.COMPLETED,
    (Status.RUNNING, e.WorkflowFailed): Status.FAILED,
    (Status.RUNNING, e.WorkflowCanceled): Status.CANCELED,
    (Status.RUNNING, e.WorkflowTerminated): Status.TERMINATED,
    (Status.RUNNING, e.WorkflowTimedOut): Status.TIMED_OUT,
}

# Events move an activity in and out; None is "not there".
ACTIVITY_EVENTS: Mapping[tuple[ActivityPhase | None, type], ActivityPhase | None] = {
    (None, e.ActivityScheduled): ActivityPhase.SCHEDULED,
    (ActivityPhase.STARTED, e.ActivityCompleted): None,
    (ActivityPhase.SCHEDULED, e.ActivityCompleted): None,  # its lost worker was alive after all
    (ActivityPhase.BACKOFF, e.ActivityCompleted): None,  # likewise, after a timeout
    (ActivityPhase.STARTED, e.ActivityFailed): None,
    (ActivityPhase.SCHEDULED, e.ActivityFailed): None,
    (ActivityPhase.STARTED, e.ActivityTimedOut): None,
    (ActivityPhase.SCHEDULED, e.ActivityTimedOut): None,  # schedule-to-start, schedule-to-close
    (ActivityPhase.BACKOFF, e.ActivityTimedOut): None,  # schedule-to-close
    (ActivityPhase.STARTED, e.ActivityCanceled): None,
    (ActivityPhase.SCHEDULED, e.ActivityCanceled): None,
    (ActivityPhase.BACKOFF, e.ActivityCanceled): None,
    (ActivityPhase.SCHEDULED, e.ActivityCancelRequested): ActivityPhase.SCHEDULED,
    (ActivityPhase.STARTED, e.ActivityCancelRequested): ActivityPhase.STARTED,
    (ActivityPhase.BACKOFF, e.ActivityCancelRequested): ActivityPhase.BACKOFF,
    (ActivityPhase.STARTED, e.ActivityRetryScheduled): ActivityPhase.STARTED,
    (ActivityPhase.SCHEDULED, e.ActivityRetryScheduled): ActivityPhase.SCHEDULED,
}

# Records move it between its phases.
ACTIVITY_RECORDS: frozenset[tuple[ActivityPhase, ActivityPhase]] = frozenset(
    {
        (ActivityPhase.SCHEDULED, ActivityPhase.STARTED),  # assigned
        (ActivityPhase.STARTED, ActivityPhase.STARTED),  # heartbeat, detached
        (ActivityPhase.STARTED, ActivityPhase.SCHEDULED),  # its worker was lost
        (ActivityPhase.STARTED, ActivityPhase.BACKOFF),  # failed, or its worker was lost again
        (ActivityPhase.SCHEDULED, ActivityPhase.BACKOFF),  # a lost worker reported a failure
        (ActivityPhase.BACKOFF, ActivityPhase.SCHEDULED),  # due
    }
)

TASK_RECORDS: frozenset[tuple[TaskPhase, TaskPhase]] = frozenset(
    {
        (TaskPhase.IDLE, TaskPhase.SCHEDULED),  # something for the code
        (TaskPhase.IDLE, TaskPhase.BACKOFF),  # delayed start
        (TaskPhase.SCHEDULED, TaskPhase.SCHEDULED),  # lost once; close refused
        (TaskPhase.SCHEDULED, TaskPhase.BACKOFF),  # failed, lost again
        (TaskPhase.BACKOFF, TaskPhase.SCHEDULED),  # due, hastened
    }
)

TIMER: Mapping[tuple[Timer, type], Timer] = {
    (Timer.ABSENT, e.TimerScheduled): Timer.PENDING,
    (Timer.PENDING, e.TimerFired): Timer.ABSENT,
    (Timer.PENDING, e.TimerCanceled): Timer.ABSENT,
}

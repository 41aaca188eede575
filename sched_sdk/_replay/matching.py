"""One recorded command against the one the code produced.

Kind, number and name must be equal. Durations, inputs, task queues and options
may change between deployments: what was recorded stays in force.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from sched_sdk._replay.commands import (
    CancelTimer,
    CancelWorkflow,
    Command,
    CompleteWorkflow,
    FailWorkflow,
    RecordMarker,
    RequestCancelActivity,
    ScheduleActivity,
    StartTimer,
)
from sched_sdk._replay.divergence import diverged
from sched_sdk.api.v1 import history_pb2

if TYPE_CHECKING:
    from sched_sdk._replay.journal import Journal

__all__ = ["MATCHERS", "Matcher"]

Event = history_pb2.HistoryEvent
Matcher: TypeAlias = Callable[["Journal", Event], None]

_DEPRECATED_PATCH = history_pb2.MarkerRecorded.KIND_DEPRECATED_PATCH


def _activity_scheduled(journal: Journal, event: Event) -> None:
    recorded = event.activity_scheduled
    command = journal.produced.popleft() if journal.produced else None
    if (
        command.__class__ is not ScheduleActivity
        or command.seq != recorded.seq
        or command.name != recorded.name
    ):
        raise diverged(event, command, journal)


def _numbered(kind: type[Command], number: Callable[[Event], int]) -> Matcher:
    def match(journal: Journal, event: Event) -> None:
        command = journal.produced.popleft() if journal.produced else None
        if command.__class__ is not kind or command.seq != number(event):
            raise diverged(event, command, journal)

    return match


def _marker_recorded(journal: Journal, event: Event) -> None:
    """Both kinds of marker answer both questions, so that `patched` may become
    `deprecate_patch`, and back."""
    recorded = event.marker_recorded
    command = journal.produced[0] if journal.produced else None
    if isinstance(command, RecordMarker) and command.id == recorded.id:
        journal.produced.popleft()
    elif recorded.kind != _DEPRECATED_PATCH:
        raise diverged(event, command, journal)


MATCHERS: dict[int, Matcher] = {
    history_pb2.EVENT_TYPE_ACTIVITY_SCHEDULED: _activity_scheduled,
    history_pb2.EVENT_TYPE_ACTIVITY_CANCEL_REQUESTED: _numbered(
        RequestCancelActivity, lambda event: event.activity_cancel_requested.seq
    ),
    history_pb2.EVENT_TYPE_TIMER_SCHEDULED: _numbered(
        StartTimer, lambda event: event.timer_scheduled.seq
    ),
    history_pb2.EVENT_TYPE_TIMER_CANCELED: _numbered(
        CancelTimer, lambda event: event.timer_canceled.seq
    ),
    history_pb2.EVENT_TYPE_MARKER_RECORDED: _marker_recorded,
    history_pb2.EVENT_TYPE_WORKFLOW_COMPLETED: _numbered(CompleteWorkflow, lambda _: 0),
    history_pb2.EVENT_TYPE_WORKFLOW_FAILED: _numbered(FailWorkflow, lambda _: 0),
    history_pb2.EVENT_TYPE_WORKFLOW_CANCELED: _numbered(CancelWorkflow, lambda _: 0),
}
"""By event type: every event that answers one produced command."""

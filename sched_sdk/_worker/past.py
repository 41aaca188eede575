"""The history of a run, kept by the worker as the engine has it.

What came from the engine is kept as it came. What the run sent becomes the
events that the engine makes of it, as far as replay reads them.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from sched_sdk._replay.delivery import is_from_outside
from sched_sdk.api.v1 import history_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sched_sdk.api.v1.worker_service_pb2 import Command, WorkflowSegment

__all__ = ["Past", "events_of_segment"]

Event = history_pb2.HistoryEvent

# By command: the attributes of its event, and the fields that both have.
_SAME_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "schedule_activity": ("activity_scheduled", ("name", "input")),
    "request_cancel_activity": ("activity_cancel_requested", ()),
    "start_timer": ("timer_scheduled", ("duration_us",)),
    "cancel_timer": ("timer_canceled", ()),
    "record_marker": ("marker_recorded", ("kind", "id")),
    "complete_workflow": ("workflow_completed", ("result",)),
    "fail_workflow": ("workflow_failed", ("failure",)),
    "cancel_workflow": ("workflow_canceled", ("failure",)),
}
_STEP_FIELDS = ("name", "attempt", "duration_us")


class Past:
    def __init__(self) -> None:
        self._events: list[Event] = []
        # The highest id of what came from the engine.
        self._received = 0

    def __len__(self) -> int:
        return len(self._events)

    def add_history(self, events: Iterable[Event]) -> None:
        """A slice of the history, everything in it."""
        for event in events:
            self._received = event.event_id
            self._events.append(event)

    def add_unseen(self, events: Iterable[Event]) -> None:
        """What came with a task; what was there before is skipped."""
        for event in events:
            if event.event_id > self._received:
                self._received = event.event_id
                if is_from_outside(event):
                    self._events.append(event)

    def add_segment(self, events: Iterable[Event]) -> None:
        """Those of `events_of_segment`, once they are durable."""
        self._events.extend(events)

    def events(self) -> list[Event]:
        """In order: what came while a segment was out stands before it."""
        self._events.sort(key=attrgetter("event_id"))
        return self._events

    @property
    def next_id(self) -> int:
        """The id of the next event, if nothing else came meanwhile."""
        return self._events[-1].event_id + 1 if self._events else 1


def events_of_segment(segment: WorkflowSegment, event_id: int, time_us: int) -> list[Event]:
    """A segment as history; `event_id` is that of its WorkflowTaskCompleted."""
    completed = history_pb2.WorkflowTaskCompleted(
        seen=segment.seen,
        more=segment.more,
        base=segment.base,
        patches=[c.record_marker.id for c in segment.commands if c.HasField("record_marker")],
    )
    events = [_event(event_id, time_us, workflow_task_completed=completed)]
    for position, command in enumerate(segment.commands, start=1):
        kind, attributes = _attributes(command)
        events.append(_event(event_id + position, time_us, **{kind: attributes}))
    return events


def _event(event_id: int, time_us: int, **attributes: Any) -> Event:
    (kind,) = attributes
    number = history_pb2.EventType.Value(f"EVENT_TYPE_{kind.upper()}")
    return Event(event_id=event_id, time_us=time_us, type=number, **attributes)


def _attributes(command: Command) -> tuple[str, Any]:
    name = command.WhichOneof("command")
    assert name is not None, "every command says what it asks for"
    body = getattr(command, name)
    if name == "record_step":
        return _step(command)
    kind, shared = _SAME_FIELDS[name]
    attributes = getattr(Event(), kind)
    values: dict[str, Any] = {field: getattr(body, field) for field in shared}
    for field in ("seq", "call_site"):
        if hasattr(attributes, field):
            values[field] = getattr(command, field)
    return kind, values


def _step(command: Command) -> tuple[str, Any]:
    body = command.record_step
    values: dict[str, Any] = {field: getattr(body, field) for field in _STEP_FIELDS}
    values |= {"seq": command.seq, "call_site": command.call_site}
    if body.HasField("failure"):
        failed = history_pb2.StepFailed(
            failure=body.failure, retry_after_us=body.retry_after_us, **values
        )
        return "step_failed", failed
    return "step_completed", history_pb2.StepCompleted(result=body.result, **values)

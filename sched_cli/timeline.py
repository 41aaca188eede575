"""What happened when: the history of one run as rows of bars.

Pure: events in, rows out; no clock, no colours, no widgets. One row for
each activity, step, timer, signal and request to cancel, in the order in which
they began. A row is a list of spans, because an activity waits, fails, waits for
its next try and works again:

    ActivityScheduled   RetryScheduled (next try)       ActivityCompleted
           │── FAILED ──│──── WAITING ────│──── WORKING ────│

Whoever draws puts the rows on an `Axis` (see `render/axis.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sched_sdk._client.models import Event, PendingActivity, WorkflowDescription

__all__ = ["Row", "RowKind", "RowState", "Span", "SpanKind", "Timeline"]


class RowKind(StrEnum):
    """What a row is about."""

    ACTIVITY = "activity"
    STEP = "step"
    TIMER = "timer"
    SIGNAL = "signal"
    CANCEL = "cancel"
    """Somebody asked the workflow to cancel."""


class RowState(StrEnum):
    """How it ended, if it has."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


class SpanKind(StrEnum):
    """What went on for a while."""

    WAITING = "waiting"
    """For a worker, for the next try, for a time."""
    WORKING = "working"
    FAILED = "failed"
    """An attempt that came to nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a bar. `end` is None while it goes on."""

    kind: SpanKind
    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bar. A row without a span is a moment, at `start`."""

    kind: RowKind
    name: str
    """Of the activity, step or signal; else "timer" or "cancel requested"."""
    event_id: int
    """Of the event that began it."""
    start: datetime
    end: datetime | None
    """None while it goes on."""
    state: RowState
    spans: tuple[Span, ...] = ()
    attempts: int = 0
    """How many there were, the one under way included; 0 for what has no attempts."""
    length: timedelta | None = None
    """How long a timer was to take."""
    due: datetime | None = None
    """When an open timer fires, or the next attempt begins."""
    call_site: str = ""
    """Where workflow code asked for it, "file:line"; may be empty."""


class Timeline:
    """Rows from events, one event at a time, in history order.

    `start` and `end` are the times of the first event and of the one that closed
    the run; None while there is none.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.start: datetime | None = None
        self.end: datetime | None = None
        self._rows: dict[int, Row] = {}
        """By the id of the event that began it."""
        self._by_seq: dict[int, int] = {}
        self._pauses: dict[int, timedelta] = {}
        """Steps whose next try waits for a timer that was not scheduled yet."""
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Take in the next event; one that no row is about changes nothing else."""
        if self.start is None:
            self.start = event.time
        handle = _HANDLERS.get(event.type)
        if handle is not None:
            handle(self, event, event.attributes)
        elif event.type in _CLOSING:
            self._close(event.time)

    def rows(self, description: WorkflowDescription | None = None) -> list[Row]:
        """All rows, the earliest first. The description knows more than the
        history of what is pending: attempts, and whether a worker is at it."""
        rows = dict(self._rows)
        if description is not None and self.end is None:
            for activity in description.activities:
                begun = self._by_seq.get(activity.seq)
                if begun is not None and rows[begun].state is RowState.OPEN:
                    rows[begun] = _with_pending(rows[begun], activity)
        return sorted(rows.values(), key=lambda row: (row.start, row.event_id))

    # ------------------------------------------------------------ what handlers use

    def _begin(self, event: Event, row: Row) -> None:
        self._rows[event.event_id] = row
        seq = event.attributes.get("seq")
        if seq is not None:
            self._by_seq[seq] = event.event_id

    def _open_row(self, attributes: Mapping[str, Any]) -> Row | None:
        begun = self._by_seq.get(attributes.get("seq", 0))
        row = None if begun is None else self._rows[begun]
        return row if row is not None and row.state is RowState.OPEN else None

    def _failed_step(self, attributes: Mapping[str, Any]) -> Row | None:
        """Whose next try this is. Each try has a number of its own."""
        attempt = attributes.get("attempt", 0)
        for row in self._rows.values():
            if row.kind is RowKind.STEP and row.state is RowState.OPEN:
                asked = (row.name, row.call_site, row.attempts + 1)
                if asked == (attributes.get("name", ""), attributes.get("call_site", ""), attempt):
                    return row
        return None

    def _is_pause(self, attributes: Mapping[str, Any]) -> bool:
        """Whether a timer is the pause before the next try of a step."""
        for event_id, length in self._pauses.items():
            asked = (length, self._rows[event_id].call_site)
            if asked == (attributes.get("duration"), attributes.get("call_site", "")):
                del self._pauses[event_id]
                return True
        return False

    def _put(self, row: Row) -> None:
        self._rows[row.event_id] = row

    def _close(self, time: datetime) -> None:
        """Nothing goes on behind the end of the run."""
        self.end = time
        for row in list(self._rows.values()):
            if row.state is RowState.OPEN:
                self._put(_ended(row, time, RowState.CANCELED))


def _schedule_activity(timeline: Timeline, event: Event, attributes: Mapping[str, Any]) -> None:
    timeline._begin(
        event,
        Row(
            kind=RowKind.ACTIVITY,
            name=attributes.get("name", ""),
            event_id=event.event_id,
            start=event.time,
            end=None,
            state=RowState.OPEN,
            spans=(Span(SpanKind.WORKING, event.time, None),),
            attempts=1,
            call_site=attributes.get("call_site", ""),
        ),
    )


def _retry_activity(timeline: Timeline, event: Event, attributes: Mapping[str, Any]) -> None:
    row = timeline._open_row(attributes)
    if row is None:
        return
    *before, last = row.spans
    due = attributes.get("next_attempt_time") or event.time
    failed = Span(SpanKind.FAILED, last.start, event.time)
    spans = (
        *before,
        failed,
        Span(SpanKind.WAITING, event.time, due),
        Span(SpanKind.WORKING, due, None),
    )
    attempts = attributes.get("attempt", row.attempts) + 1
    timeline._put(replace(row, spans=spans, attempts=attempts, due=due))


def _end_activity(state: RowState) -> Callable[[Timeline, Event, Mapping[str, Any]], None]:
    def end(timeline: Timeline, event: Event, attributes: Mapping[str, Any]) -> None:
        row = timeline._open_row(attributes)
        if row is None:
            return
        summary = attributes.get("summary", {})
        started = summary.get("started_time")
        if started is not None:
            row = replace(row, spans=_worked_from(row.spans, started))
        attempts = summary.get("attempts") or row.attempts
        timeline._put(replace(_ended(row, event.time, state), attempts=attempts, due=None))

    return end


def _schedule_timer(timeline: Timeline, event: Event, attributes: Mapping[str, Any]) -> None:
    if timeline._is_pause(attributes):
        return
    timeline._begin(
        event,
        Row(
            kind=RowKind.TIMER,
            name="timer",
            event_id=event.event_id,
            start=event.time,
            end=None,
            state=RowState.OPEN,
            spans=(Span(SpanKind.WAITING, event.time, None),),
            length=attributes.get("duration"),
            due=attributes.get("due_time"),
            call_site=attributes.get("call_site", ""),
        ),
    )


def _end_timer(state: RowState) -> Callable[[Timeline, Event, Mapping[str, Any]], None]:
    def end(timeline: Timeline, event: Event, attributes: Mapping[str, Any]) -> None:
        row = timeline._open_row(attributes)
        if row is not None:
            timeline._put(replace(_ended(row, event.time, state), due=None))

    return end


def _try_step(timeline: Timeline, event: Event, attributes: Mapping[str, Any]) -> None:
    """One try of a step, told when it is over."""
    began = event.time - attributes.get("duration", timedelta(0))
    attempt = attributes.get("attempt", 0) or 1
    row = timeline._failed_step(attributes) if attempt > 1 else None
    if row is None:
        row = Row(
            kind=RowKind.STEP,
            name=attributes.get("name", ""),
            event_id=event.event_id,
            start=began,
            end=None,
            state=RowState.OPEN,
            call_site=attributes.get("call_site", ""),
        )
        timeline._begin(event, row)
    failed = event.type == "StepFailed"
    spans = (
        *(replace(span, end=began) if span.end is None else span for span in row.spans),
        Span(SpanKind.FAILED if failed else SpanKind.WORKING, began, event.time),
    )
    again = attributes.get("retry_after")
    if failed and again:
        waits = Span(SpanKind.WAITING, event.time, None)
        timeline._pauses[row.event_id] = again
        row = replace(row, spans=(*spans, waits), due=event.time + again)
    else:
        state = RowState.FAILED if failed else RowState.DONE
        row = replace(row, spans=spans, end=event.time, state=state, due=None)
    timeline._put(replace(row, attempts=attempt))


def _moment(kind: RowKind) -> Callable[[Timeline, Event, Mapping[str, Any]], None]:
    def add(timeline: Timeline, event: Event, attributes: Mapping[str, Any]) -> None:
        name = attributes.get("name", "") if kind is RowKind.SIGNAL else "cancel requested"
        row = Row(
            kind=kind,
            name=name,
            event_id=event.event_id,
            start=event.time,
            end=event.time,
            state=RowState.DONE,
        )
        timeline._begin(event, row)

    return add


_HANDLERS: dict[str, Callable[[Timeline, Event, Mapping[str, Any]], None]] = {
    "ActivityScheduled": _schedule_activity,
    "ActivityRetryScheduled": _retry_activity,
    "ActivityCompleted": _end_activity(RowState.DONE),
    "ActivityFailed": _end_activity(RowState.FAILED),
    "ActivityTimedOut": _end_activity(RowState.FAILED),
    "ActivityCanceled": _end_activity(RowState.CANCELED),
    "TimerScheduled": _schedule_timer,
    "TimerFired": _end_timer(RowState.DONE),
    "TimerCanceled": _end_timer(RowState.CANCELED),
    "StepCompleted": _try_step,
    "StepFailed": _try_step,
    "SignalReceived": _moment(RowKind.SIGNAL),
    "WorkflowCancelRequested": _moment(RowKind.CANCEL),
}
_CLOSING = frozenset(
    {
        "WorkflowCompleted",
        "WorkflowFailed",
        "WorkflowCanceled",
        "WorkflowTerminated",
        "WorkflowTimedOut",
    }
)


def _ended(row: Row, time: datetime, state: RowState) -> Row:
    """The row with its open span closed at `time`."""
    spans = []
    for span in row.spans:
        if span.start > time:
            continue  # a try that was never made
        spans.append(span if span.end is not None and span.end <= time else replace(span, end=time))
    if state is RowState.FAILED and spans:
        spans[-1] = replace(spans[-1], kind=SpanKind.FAILED)
    return replace(row, end=time, state=state, spans=tuple(spans))


def _worked_from(spans: Sequence[Span], started: datetime) -> tuple[Span, ...]:
    """The open span, with the time before a worker began as waiting."""
    *before, last = spans
    if last.end is not None or started <= last.start:
        return tuple(spans)
    waited = Span(SpanKind.WAITING, last.start, started)
    return (*before, waited, replace(last, start=started))


def _with_pending(row: Row, activity: PendingActivity) -> Row:
    """An open activity with what the engine knows of it beyond the history."""
    spans = row.spans
    if activity.started_time is not None and activity.state != "SCHEDULED":
        spans = _worked_from(spans, activity.started_time)
    if activity.state != "STARTED":
        *before, last = spans
        spans = (*before, replace(last, kind=SpanKind.WAITING))
    due = activity.due_time if activity.state == "BACKOFF" else None
    return replace(row, spans=spans, attempts=max(row.attempts, activity.attempt), due=due)

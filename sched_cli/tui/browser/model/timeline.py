"""What a run did, and when: one row for each activity, step, timer and signal.

A row is found again by its command's number. The pending records of the
engine add what no event says yet: that an attempt runs, or when the next begins.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sched_cli.render.events import failure_words
from sched_cli.render.times import age, duration, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from sched_sdk._client.models import Event, PendingActivity

__all__ = ["Row", "Timeline"]


@dataclass(slots=True)
class Row:
    """Something that took time, or happened at one."""

    kind: str
    """workflow, activity, step, timer, signal, cancel or problem."""
    name: str
    start: datetime
    end: datetime | None = None
    """None while it goes on; the same as `start` for what just happened."""
    state: str = "running"
    """running, waiting, retrying, done, failed, canceled or happened."""
    attempts: int = 1
    note: str = ""
    """The last failure, in a line."""
    due: datetime | None = None
    """When it goes on by itself: a timer, a retry."""
    position: int = 0
    """Of its first event, among the events."""

    def words(self, now: datetime) -> str:
        """How it stands, in a few words."""
        if self.state == "happened":
            return ""
        if self.due is not None and self.end is None:
            what = "retry" if self.state == "retrying" else "due"
            return f"{what} {until(self.due, now)}"
        if self.state == "waiting":
            return "waits for a worker"
        return age(self.start, now) if self.end is None else duration(self.end - self.start)


@dataclass(slots=True)
class Timeline:
    """The rows of a run, in the order in which they began."""

    rows: list[Row] = field(default_factory=list)
    _by_seq: dict[int, Row] = field(default_factory=dict)
    _count: int = 0

    @property
    def start(self) -> datetime | None:
        """When the run began."""
        return self.rows[0].start if self.rows else None

    @property
    def closed(self) -> bool:
        """Whether the event that ends the run has come."""
        return bool(self.rows) and self.rows[0].end is not None

    def end(self, now: datetime) -> datetime:
        """Where the time axis ends: when the run did, or now."""
        return (self.rows[0].end if self.rows else None) or now

    def extend(self, events: Iterable[Event]) -> None:
        """More events, in order."""
        for event in events:
            take = _TAKES.get(event.type)
            if take is not None:
                take(self, event)
            self._count += 1

    def take_pending(self, activities: Iterable[PendingActivity]) -> None:
        """What the engine says of activities that have not ended."""
        for activity in activities:
            row = self._by_seq.get(activity.seq)
            if row is None or row.end is not None:
                continue
            row.attempts = max(activity.attempt, 1)
            row.due = None
            if activity.state == "BACKOFF":
                row.state, row.due = "retrying", activity.due_time
            else:
                row.state = "running" if activity.state == "STARTED" else "waiting"
            if activity.last_failure is not None:
                row.note = " ".join(str(activity.last_failure).split())

    def _add(self, row: Row, seq: int | None = None) -> None:
        row.position = self._count
        self.rows.append(row)
        if seq is not None:
            self._by_seq[seq] = row

    def _begin_activity(self, event: Event) -> None:
        attributes = event.attributes
        name = str(attributes.get("summary") or attributes.get("name", ""))
        self._add(Row("activity", name, event.time), attributes.get("seq"))

    def _begin_timer(self, event: Event) -> None:
        attributes = event.attributes
        length = attributes.get("duration")
        name = duration(length) if length is not None else ""
        row = Row("timer", name, event.time, due=attributes.get("due_time"))
        self._add(row, attributes.get("seq"))

    def _retry(self, event: Event) -> None:
        row = self._by_seq.get(event.attributes.get("seq", 0))
        if row is not None:
            row.state = "retrying"
            row.attempts = event.attributes.get("attempt", 1)
            row.due = event.attributes.get("next_attempt_time")
            row.note = failure_words(event.attributes.get("failure"))

    def _end(self, event: Event, state: str) -> None:
        row = self._by_seq.get(event.attributes.get("seq", 0))
        if row is None or row.end is not None:
            return
        row.end, row.state = event.time, state
        attempts = event.attributes.get("summary", {}).get("attempts", 0)
        row.attempts = max(attempts, row.attempts if row.state == "failed" else 1)
        row.note = failure_words(event.attributes.get("failure")) or row.note

    def _cancel_timer(self, event: Event) -> None:
        if not event.attributes.get("moot"):
            self._end(event, "canceled")

    def _step(self, event: Event) -> None:
        attributes = event.attributes
        length = attributes.get("duration")
        start = event.time if length is None else event.time - length
        seq = attributes.get("seq", 0)
        row = self._by_seq.get(seq)
        if row is None:
            row = Row("step", str(attributes.get("name", "")), start)
            self._add(row, seq)
        row.attempts = attributes.get("attempt", 1)
        row.end, row.state, row.due = event.time, "done", None
        if event.type == "StepFailed":
            row.note, row.state = failure_words(attributes.get("failure")), "failed"
            if "retry_after" in attributes:
                row.end, row.state = None, "retrying"
                row.due = event.time + attributes["retry_after"]

    def _happen(self, event: Event, kind: str, name: Any) -> None:
        self._add(Row(kind, str(name), event.time, event.time, "happened"))

    def _start(self, event: Event) -> None:
        self._add(Row("workflow", str(event.attributes.get("workflow_type", "")), event.time))

    def _close(self, event: Event) -> None:
        state = _CLOSED[event.type]
        for row in self.rows:
            if row.end is None:
                row.end = event.time
                row.state = state if row.kind == "workflow" else "canceled"
        if self.rows:
            self.rows[0].note = failure_words(event.attributes.get("failure"))


_CLOSED = {
    "WorkflowCompleted": "done",
    "WorkflowFailed": "failed",
    "WorkflowTimedOut": "failed",
    "WorkflowTerminated": "failed",
    "WorkflowCanceled": "canceled",
    "WorkflowContinuedAsNew": "done",
}

_TAKES: dict[str, Callable[[Timeline, Event], None]] = {
    "WorkflowStarted": Timeline._start,
    "ActivityScheduled": Timeline._begin_activity,
    "ActivityRetryScheduled": Timeline._retry,
    "ActivityCompleted": lambda line, event: line._end(event, "done"),
    "ActivityFailed": lambda line, event: line._end(event, "failed"),
    "ActivityTimedOut": lambda line, event: line._end(event, "failed"),
    "ActivityCanceled": lambda line, event: line._end(event, "canceled"),
    "TimerScheduled": Timeline._begin_timer,
    "TimerFired": lambda line, event: line._end(event, "done"),
    "TimerCanceled": Timeline._cancel_timer,
    "StepCompleted": Timeline._step,
    "StepFailed": Timeline._step,
    "SignalReceived": lambda line, event: line._happen(
        event, "signal", event.attributes.get("name", "")
    ),
    "WorkflowCancelRequested": lambda line, event: line._happen(event, "cancel", "cancel asked"),
    "WorkflowTaskFailed": lambda line, event: line._happen(
        event,
        "problem",
        str(event.attributes.get("cause", "task failed")).replace("_", " ").lower(),
    ),
    **dict.fromkeys(_CLOSED, Timeline._close),
}

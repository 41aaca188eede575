"""A history as the commands of its code, in code order, each with what came of it.

A step whose tries lie a durable timer apart is several events and a timer in the
history; here it is one entry with so many attempts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sched_sdk._debug.comparison import plain_payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_sdk._capture import CapturedHistory
    from sched_sdk.api.v1 import common_pb2
    from sched_sdk.api.v1.history_pb2 import HistoryEvent

_SECOND = 1_000_000
_ENDS = {
    "workflow_completed": "COMPLETED",
    "workflow_failed": "FAILED",
    "workflow_canceled": "CANCELED",
    "workflow_terminated": "TERMINATED",
    "workflow_timed_out": "TIMED_OUT",
}
_ACTIVITY_ENDS = {
    "activity_completed": "completed",
    "activity_failed": "failed",
    "activity_timed_out": "timed out",
    "activity_canceled": "canceled",
}


@dataclass(slots=True, kw_only=True)
class Entry:
    """One thing that the code asked for, or that was sent to it."""

    kind: str
    """activity, step, timer, patch or signal."""
    name: str
    """Empty for a timer."""
    event_id: int
    call_site: str = ""
    offset: float
    """Seconds since the run began."""
    duration: float | None = None
    """Seconds until it was over; None: it was not, or it takes no time."""
    attempts: int = 0
    """0: not known, or it has none."""
    outcome: str = "pending"
    values: dict[str, Any] = field(default_factory=dict)
    """What is compared besides: `input`, `result`, `failure`, `planned` seconds."""

    @property
    def key(self) -> tuple[str, str]:
        """What must be the same for two entries to belong together."""
        return self.kind, self.name

    @property
    def title(self) -> str:
        """In words."""
        if self.kind == "timer":
            return f"timer {self.values['planned']:g} s"
        return f"{self.kind} {self.name}"


@dataclass(slots=True, kw_only=True)
class Timeline:
    """One run."""

    workflow_id: str
    run_id: str
    workflow_type: str
    status: str
    start_time_us: int
    duration: float
    """Seconds from the first event to the last."""
    events: int
    values: dict[str, Any]
    """`input`, and `result` or `failure`."""
    commands: list[Entry]
    signals: list[Entry]


def timeline_of(captured: CapturedHistory) -> Timeline:
    """Read a history, complete or not."""
    first, last = captured.events[0], captured.events[-1]
    reader = _Reader(first.time_us)
    for event in captured.events:
        reader.read(event)
    started = first.workflow_started
    return Timeline(
        workflow_id=started.workflow_id,
        run_id=started.run_id,
        workflow_type=started.workflow_type,
        status=reader.status,
        start_time_us=first.time_us,
        duration=(last.time_us - first.time_us) / _SECOND,
        events=len(captured.events),
        values={"input": plain_payloads(started.input), **reader.values},
        commands=[entry for _, entry in sorted(reader.commands, key=lambda item: item[0])],
        signals=reader.signals,
    )


class _Reader:
    """Collects entries while it reads events in order."""

    def __init__(self, start_us: int) -> None:
        self._start_us = start_us
        self.commands: list[tuple[tuple[int, int], Entry]] = []
        """With where they stand in code order."""
        self.signals: list[Entry] = []
        self.status = "RUNNING"
        self.values: dict[str, Any] = {}
        self._pending: dict[int, Entry] = {}
        self._to_be_tried: list[tuple[Entry, int]] = []
        """Steps that failed and will be tried again, with the time until then."""
        self._waiting_steps: list[Entry] = []
        """Those whose timer has been seen."""
        self._last_seq = 0

    def read(self, event: HistoryEvent) -> None:
        kind = event.WhichOneof("attributes")
        if kind is None:
            return
        attributes = getattr(event, kind)
        if kind in _ENDS:
            self._end(_ENDS[kind], attributes)
        elif kind in _ACTIVITY_ENDS:
            self._activity_ended(event, _ACTIVITY_ENDS[kind], attributes)
        elif (reader := _READERS.get(kind)) is not None:
            reader(self, event, attributes)

    def _offset(self, event: HistoryEvent) -> float:
        return (event.time_us - self._start_us) / _SECOND

    def _add(self, event: HistoryEvent, seq: int, entry: Entry) -> None:
        self._last_seq = max(self._last_seq, seq)
        self.commands.append(((seq, event.event_id), entry))

    def activity_scheduled(self, event: HistoryEvent, attributes: Any) -> None:
        entry = Entry(
            kind="activity",
            name=attributes.name,
            event_id=event.event_id,
            call_site=attributes.call_site,
            offset=self._offset(event),
            values={"input": plain_payloads(attributes.input)},
        )
        self._pending[attributes.seq] = entry
        self._add(event, attributes.seq, entry)

    def _activity_ended(self, event: HistoryEvent, outcome: str, attributes: Any) -> None:
        entry = self._pending.pop(attributes.seq, None)
        if entry is None:
            return
        entry.outcome = outcome
        entry.duration = self._offset(event) - entry.offset
        entry.attempts = attributes.summary.attempts
        entry.values |= _came_back(attributes)

    def timer_scheduled(self, event: HistoryEvent, attributes: Any) -> None:
        for index, (step, after_us) in enumerate(self._to_be_tried):
            if after_us == attributes.duration_us and step.call_site == attributes.call_site:
                self._waiting_steps.append(self._to_be_tried.pop(index)[0])
                return
        entry = Entry(
            kind="timer",
            name="",
            event_id=event.event_id,
            call_site=attributes.call_site,
            offset=self._offset(event),
            values={"planned": attributes.duration_us / _SECOND},
        )
        self._pending[attributes.seq] = entry
        self._add(event, attributes.seq, entry)

    def timer_fired(self, event: HistoryEvent, attributes: Any) -> None:
        self._timer_ended(event, attributes.seq, "fired")

    def timer_canceled(self, event: HistoryEvent, attributes: Any) -> None:
        if not attributes.moot:
            self._timer_ended(event, attributes.seq, "canceled")

    def _timer_ended(self, event: HistoryEvent, seq: int, outcome: str) -> None:
        entry = self._pending.pop(seq, None)
        if entry is not None:
            entry.outcome = outcome
            entry.duration = self._offset(event) - entry.offset

    def step_ended(self, event: HistoryEvent, attributes: Any) -> None:
        failed = event.HasField("step_failed")
        entry = self._tried_before(attributes)
        duration = attributes.duration_us / _SECOND
        if entry is None:
            entry = Entry(
                kind="step",
                name=attributes.name,
                event_id=event.event_id,
                call_site=attributes.call_site,
                offset=max(0.0, self._offset(event) - duration),
            )
            self._add(event, attributes.seq, entry)
        entry.attempts = attributes.attempt
        if failed and attributes.retry_after_us > 0:
            self._to_be_tried.append((entry, attributes.retry_after_us))
            return
        entry.outcome = "failed" if failed else "completed"
        entry.duration = self._offset(event) - entry.offset
        entry.values |= _came_back(attributes)

    def _tried_before(self, attributes: Any) -> Entry | None:
        for index, entry in enumerate(self._waiting_steps):
            if (entry.name, entry.attempts + 1, entry.call_site) == (
                attributes.name,
                attributes.attempt,
                attributes.call_site,
            ):
                return self._waiting_steps.pop(index)
        return None

    def marker_recorded(self, event: HistoryEvent, attributes: Any) -> None:
        entry = Entry(
            kind="patch",
            name=attributes.id,
            event_id=event.event_id,
            call_site=attributes.call_site,
            offset=self._offset(event),
            outcome="recorded",
        )
        # A marker has no number of its own: it stands behind what came before it.
        self._add(event, self._last_seq, entry)

    def signal_received(self, event: HistoryEvent, attributes: Any) -> None:
        self._received(event, attributes.name, {"input": plain_payloads(attributes.input)})

    def cancel_requested(self, event: HistoryEvent, attributes: Any) -> None:
        self._received(event, "(request to cancel)", {"reason": attributes.reason})

    def _received(self, event: HistoryEvent, name: str, values: dict[str, Any]) -> None:
        self.signals.append(
            Entry(
                kind="signal",
                name=name,
                event_id=event.event_id,
                offset=self._offset(event),
                outcome="received",
                values=values,
            )
        )

    def _end(self, status: str, attributes: Any) -> None:
        self.status = status
        self.values |= _came_back(attributes)
        if status == "TERMINATED":
            self.values["reason"] = attributes.reason


_READERS: dict[str, Callable[[_Reader, HistoryEvent, Any], None]] = {
    "activity_scheduled": _Reader.activity_scheduled,
    "timer_scheduled": _Reader.timer_scheduled,
    "timer_fired": _Reader.timer_fired,
    "timer_canceled": _Reader.timer_canceled,
    "step_completed": _Reader.step_ended,
    "step_failed": _Reader.step_ended,
    "marker_recorded": _Reader.marker_recorded,
    "signal_received": _Reader.signal_received,
    "workflow_cancel_requested": _Reader.cancel_requested,
}


def _came_back(attributes: Any) -> dict[str, Any]:
    """The result, or the failure without its traceback, which names lines."""
    fields = attributes.DESCRIPTOR.fields_by_name
    if "failure" in fields:
        return {"failure": _failure(attributes.failure)}
    return {"result": _one(attributes.result)} if "result" in fields else {}


def _one(payload: common_pb2.Payload) -> Any:
    (value,) = plain_payloads([payload])
    return value


def _failure(failure: common_pb2.Failure) -> dict[str, Any]:
    details: Sequence[common_pb2.Payload] = failure.details
    said: dict[str, Any] = {"type": failure.type, "message": failure.message}
    if details:
        said["details"] = plain_payloads(details)
    if failure.HasField("cause"):
        said["cause"] = _failure(failure.cause)
    return said

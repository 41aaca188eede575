"""The error when code and history part.

Both sides are described in the same words, each with its place in the code, so
that the reader can see what was changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sched_sdk._replay.commands import (
    CancelTimer,
    CompleteWorkflow,
    FailWorkflow,
    RequestCancelActivity,
    describe_patch,
    describe_timer,
)
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._replay.journal import Journal
    from sched_sdk._replay.waiting import Wait

__all__ = [
    "NOTHING_MORE",
    "describe_event",
    "did_more",
    "diverged",
    "stands_still",
    "unknown_resolution",
]


class Described(Protocol):
    """A command, or a step that the code waits for."""

    seq: int

    @property
    def call_site(self) -> str: ...
    def describe(self) -> str: ...


NOTHING_MORE = "nothing more"

_REMEDY = (
    "Make the code do again what it did, or guard the change with ctx.patched; "
    "sched replay shows both sides."
)

_Type = history_pb2
_CLOSINGS = {
    _Type.EVENT_TYPE_WORKFLOW_COMPLETED: "completion of the workflow",
    _Type.EVENT_TYPE_WORKFLOW_FAILED: "failure of the workflow",
    _Type.EVENT_TYPE_WORKFLOW_CANCELED: "cancellation of the workflow",
}


# What the end of a function may bring about by itself.
_CANCELLATIONS = (CancelTimer, RequestCancelActivity)
_ALSO_AT_THE_END = {
    *_CLOSINGS,
    _Type.EVENT_TYPE_ACTIVITY_CANCEL_REQUESTED,
    _Type.EVENT_TYPE_TIMER_CANCELED,
}


def describe_event(event: history_pb2.HistoryEvent) -> str:
    kind = event.type
    if kind == _Type.EVENT_TYPE_ACTIVITY_SCHEDULED:
        return f"activity {event.activity_scheduled.name}"
    if kind == _Type.EVENT_TYPE_TIMER_SCHEDULED:
        return describe_timer(event.timer_scheduled.duration_us)
    if kind == _Type.EVENT_TYPE_STEP_COMPLETED:
        return f"step {event.step_completed.name}"
    if kind == _Type.EVENT_TYPE_STEP_FAILED:
        return f"step {event.step_failed.name}"
    if kind == _Type.EVENT_TYPE_ACTIVITY_CANCEL_REQUESTED:
        return f"cancellation of the activity with seq {event.activity_cancel_requested.seq}"
    if kind == _Type.EVENT_TYPE_TIMER_CANCELED:
        return f"cancellation of the timer with seq {event.timer_canceled.seq}"
    if kind == _Type.EVENT_TYPE_MARKER_RECORDED:
        return describe_patch(event.marker_recorded.id)
    if kind in _CLOSINGS:
        return _CLOSINGS[kind]
    return _type_name(kind)


def _type_name(kind: int) -> str:
    try:
        name = history_pb2.EventType.Name(kind)  # type: ignore[arg-type]  # may be unknown
    except ValueError:
        return f"an event of type {kind}"
    return "".join(word.capitalize() for word in name.removeprefix("EVENT_TYPE_").split("_"))


def _recorded_site(event: history_pb2.HistoryEvent) -> str:
    field = event.WhichOneof("attributes")
    return getattr(getattr(event, field), "call_site", "") if field else ""


def diverged(
    event: history_pb2.HistoryEvent, command: Described | None, journal: Journal
) -> NonDeterminismError:
    """History has `event` where the code produced `command` (None: nothing)."""
    if event.type not in _ALSO_AT_THE_END:
        command = _cause(command, journal)
    expected = describe_event(event)
    recorded_site = _recorded_site(event)
    actual, current_site = "", ""
    if command is not None:
        actual, current_site = command.describe(), command.call_site
        does = f"the code {_does(command, expected)}{_at(current_site)}"
    else:
        waits, current_site = _what_it_waits_for(journal)
        does = f"the code does nothing there{waits}"
    shown = expected
    if command is not None and actual == expected:
        shown = f"{expected} with seq {_seq_of(event)}"
    return NonDeterminismError(
        f"history event {event.event_id} is {shown}{_at(recorded_site)}, but {does}. {_REMEDY}",
        event_id=event.event_id,
        expected=expected,
        actual=actual,
        recorded_call_site=recorded_site,
        current_call_site=current_site,
        command=command,
    )


def stands_still(error: NonDeterminismError, waits: Sequence[Wait]) -> NonDeterminismError:
    """The same error, with the place where the code waits instead."""
    wait = next((wait for wait in waits if wait.call_site), None)
    if error.actual or error.current_call_site or wait is None:
        return error
    nothing = "the code does nothing there"
    return NonDeterminismError(
        str(error).replace(nothing, f"{nothing}; it waits in {wait.function} ({wait.call_site})"),
        event_id=error.event_id,
        expected=error.expected,
        recorded_call_site=error.recorded_call_site,
        current_call_site=wait.call_site,
    )


def _cause(command: Described | None, journal: Journal) -> Described | None:
    """A function that ends, or raises, cancels what it leaves behind: where the
    history goes on, that it ended is what differs."""
    if isinstance(command, _CANCELLATIONS) and journal.closing is not None:
        return journal.closing
    return command


def did_more(journal: Journal, event_id: int) -> NonDeterminismError:
    """The code produced something where its segment in history ends."""
    command = _cause(journal.produced[0], journal)
    assert command is not None
    actual = command.describe()
    return NonDeterminismError(
        f"history has nothing more of the code before event {event_id}, but the code "
        f"{_does(command)}{_at(command.call_site)} as well. {_REMEDY}",
        event_id=event_id,
        expected=NOTHING_MORE,
        actual=actual,
        current_call_site=command.call_site,
        command=command,
    )


def unknown_resolution(event: history_pb2.HistoryEvent, seq: int) -> NonDeterminismError:
    """An event answers something that the code never asked for."""
    expected = f"{describe_event(event)} of seq {seq}"
    return NonDeterminismError(
        f"history event {event.event_id} is {expected}, but the code asked for nothing with "
        f"that number. {_REMEDY}",
        event_id=event.event_id,
        expected=expected,
    )


def _does(command: Described, expected: str = "") -> str:
    if isinstance(command, FailWorkflow):
        return f"raises {command.raised.type}: {command.raised.message}".rstrip(": ")
    if isinstance(command, CompleteWorkflow):
        return "ends the workflow"
    actual = command.describe()
    return f"does {actual} with seq {command.seq}" if actual == expected else f"does {actual}"


def _seq_of(event: history_pb2.HistoryEvent) -> int:
    field = event.WhichOneof("attributes")
    return getattr(getattr(event, field), "seq", 0) if field else 0


def _at(site: str) -> str:
    return f" ({site})" if site else ""


def _what_it_waits_for(journal: Journal) -> tuple[str, str]:
    """What a reader most likely wants to know when the code stands still."""
    for step in journal.steps.values():
        site = step.call_site
        return f"; it waits for {step.describe()}{_at(site)}", site
    return "", ""

"""What deciding an input yields: facts, records and effects, all as data."""

from __future__ import annotations

from enum import IntEnum
from typing import TypeAlias

from msgspec import Struct, field

from .events import Attributes
from .state import ActivityRecord, WorkflowTaskRecord
from .values import TimerKind

# ---------------------------------------------------------------- effects


class SetTimer(Struct, frozen=True, gc=False):
    """Replaces a timer of the same kind and seq."""

    kind: TimerKind
    seq: int
    due_us: int


class ClearTimer(Struct, frozen=True, gc=False):
    """Clearing what is not set is nothing."""

    kind: TimerKind
    seq: int


class DispatchWorkflowTask(Struct, frozen=True, gc=False):
    """The workflow task waits for a worker."""


class DispatchActivity(Struct, frozen=True, gc=False):
    """The activity waits for a worker."""

    seq: int


class StopAttempt(Struct, frozen=True, gc=False):
    """A running attempt should end: `canceled` politely, by request; else the
    attempt is not wanted any more whatever it returns."""

    seq: int
    dispatch: int
    session: str
    canceled: bool


Effect: TypeAlias = SetTimer | ClearTimer | DispatchWorkflowTask | DispatchActivity | StopAttempt


# ---------------------------------------------------------------- records


class PutActivityRecord(Struct, frozen=True, gc=False):
    seq: int
    record: ActivityRecord


class PutTaskRecord(Struct, frozen=True, gc=False):
    record: WorkflowTaskRecord


Record: TypeAlias = PutActivityRecord | PutTaskRecord


# ---------------------------------------------------------------- replies


class Verdict(IntEnum):
    """How an answer or a request was taken."""

    ACCEPTED = 1
    DUPLICATE = 2
    """Was accepted before; the same reply holds."""
    STALE = 3
    CLOSE_REFUSED = 4
    INVALID = 5
    HOLD = 6
    """Ask again once the outstanding workflow task is answered."""


class Rejection(Exception):  # noqa: N818 - it is an answer, not a fault
    """The request cannot be granted in this state."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """A name of the API's ErrorReason without its prefix."""
        self.message = message


class Decision(Struct):
    verdict: Verdict = Verdict.ACCEPTED
    events: list[Attributes] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    message: str = ""
    """For people, with INVALID."""

    @property
    def changes(self) -> bool:
        return bool(self.events or self.records)

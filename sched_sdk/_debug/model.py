"""What a replay tells. Plain data: nothing of the run that was replayed is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "AgreedCommand",
    "Difference",
    "Divergence",
    "Frame",
    "Outcome",
    "Raised",
    "Replay",
    "Side",
    "Variable",
    "Waiting",
]


class Outcome(StrEnum):
    """How a replay ended."""

    AGREES = "agrees"
    """The code does what the history says."""
    DIVERGES = "diverges"
    """The code does something else, more, or less."""
    RAISES = "raises"
    """The code raises an exception where the history goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a divergence: the history's, or the code's."""

    what: str
    """`activity charge`, `timer 2 s`, `nothing more`; empty for nothing."""
    call_site: str = ""
    """`file:line`, the file relative to the app; may be empty."""
    call_site_now: str = ""
    """Of the history's side: where that place is by now, judged by how the last
    command before it has moved. Empty if that is not known."""
    arguments: tuple[Any, ...] | None = None
    """Of an activity, as plain JSON values; None for what has no arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A local variable."""

    name: str
    value: str
    """Its `repr`, cut to a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A function of the app that was active when the code parted from the history."""

    function: str
    call_site: str
    file: str
    """The file's path, as Python knows it."""
    line: int
    variables: tuple[Variable, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A task of the workflow that waits."""

    task: str
    """Its name; that of the workflow function is `workflow`."""
    call_site: str
    function: str
    waits_on: Mapping[str, Any] | None
    """As in the answer to the query `__stack`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedCommand:
    """A command on which both sides agreed."""

    event_id: int
    what: str
    recorded_call_site: str
    current_call_site: str
    """Where the code asks for it now; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The exception that left the workflow function."""

    type: str
    message: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """Where code and history part."""

    event_id: int
    """The first event that does not agree. If the code does more than the
    history, the event that follows."""
    message: str
    """All of it in a sentence, the one that a worker reports."""
    recorded: Side
    current: Side
    raised: Raised | None
    """Set when the outcome is RAISES."""
    agreed: tuple[AgreedCommand, ...]
    """The last commands before it, in order."""
    frames: tuple[Frame, ...]
    """Innermost first, the workflow function last."""
    waits: tuple[Waiting, ...]
    """Where each of the workflow's tasks waits."""
    reset_event_id: int
    """The last event of the history that the code agrees with as a whole; a
    reset or a fork to it begins just before the divergence. 0: none."""
    recorded_build_id: str
    """The build of the worker that recorded it; may be empty."""
    unstable: bool
    """A second replay of the same code went otherwise: the code is not
    deterministic by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The same command, with other arguments. What is recorded stays in force."""

    event_id: int
    what: str
    path: str
    """What differs: `input[0].amount`, `duration`, `result.total`."""
    recorded: Any
    current: Any
    recorded_call_site: str
    current_call_site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One history over one workflow function."""

    workflow_id: str
    run_id: str
    workflow_type: str
    events: int
    segments: int
    """How many segments agreed."""
    seconds: float
    """How long the plain replay took."""
    closed: bool
    """The history ends with a closing command of the code."""
    redacted: bool
    """Values of the history were replaced."""
    outcome: Outcome
    divergence: Divergence | None
    """Set unless the outcome is AGREES."""
    differences: tuple[Difference, ...]
    """The first ones, in order of events."""
    difference_count: int
    """How many commands differ in their arguments."""
    not_comparable: int
    """How many arguments were not compared, because values are redacted."""

"""What is seen at one position. Plain data: nothing of the run is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sched_sdk._debug.model import Frame

if TYPE_CHECKING:
    from sched_sdk._debug.model import Divergence
    from sched_sdk.api.v1 import history_pb2

__all__ = ["Change", "Coroutine", "Issued", "Phase", "View"]


class Phase(StrEnum):
    """What happens at a position. The current line is always the one at which
    the code stands when it happens, before it goes on."""

    ARRIVAL = "arrival"
    """An event is about to be handed to the code."""
    COMMAND = "command"
    """The code asks for something, which the history has as an event."""
    LINE = "line"
    """The code is about to run a line that was looked for."""
    DIVERGENCE = "divergence"
    """The code does something else than the history says."""
    END = "end"
    """Behind the last event: where the code waits now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coroutine:
    """One task of the workflow."""

    task: str
    """Its name; that of the workflow function is `workflow`."""
    frames: tuple[Frame, ...]
    """The app's functions in it, innermost first."""
    waits_on: Mapping[str, Any] | None
    """As in the answer to the query `__stack`; None: it runs, or can go on."""
    current: bool
    """It runs, or waits for the event of this position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A command of the activation."""

    event_id: int
    """The event that answers it; 0 if the history has none."""
    what: str
    call_site: str
    current: bool
    """It is the one of this position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A local variable that is not what it was one position before."""

    function: str
    name: str
    before: str | None
    """None: it is new."""
    after: str | None
    """None: it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything about one position."""

    index: int
    """From 0 on; a line stop has that of the position before it."""
    total: int
    phase: Phase
    event: history_pb2.HistoryEvent | None
    """None at the end, and where the code only runs a line that was looked for."""
    time_us: int
    """The workflow's clock, microseconds since 1970."""
    pending: bool
    """No worker has seen the event yet; what the code does next is not recorded."""
    frames: tuple[Frame, ...]
    """Of the coroutine that runs or is about to, innermost first; the first one
    has the current line. Empty when nothing of the app stands anywhere."""
    coroutines: tuple[Coroutine, ...]
    hidden_coroutines: int
    """How many there are besides these."""
    changes: tuple[Change, ...]
    commands: tuple[Issued, ...]
    """What the code asks for in this activation, which the event begins."""
    patches: tuple[str, ...]
    """Ids of the patches that the run has taken so far."""
    divergence: Divergence | None = None

    def change_of(self, function: str, name: str) -> Change | None:
        """What became of a local; None if it is what it was."""
        return next((c for c in self.changes if (c.function, c.name) == (function, name)), None)

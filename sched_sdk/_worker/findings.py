"""What a second run of workflow code did otherwise than the first, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._debug.model import Difference
    from sched_sdk._debug.suspects import Suspect
    from sched_sdk.api.v1.history_pb2 import HistoryEvent
    from sched_sdk.errors import NonDeterminismError

__all__ = ["Finding", "of_difference", "of_divergence"]

_SHOWN_CHARACTERS = 80


@dataclass(slots=True)
class Finding:
    key: tuple[str, str, str]
    """What is said once: the workflow type, the place, and what differs."""
    event_id: int
    event: str
    first: str
    second: str
    seq: int
    """The number of the command; 0: it has none."""
    suspect: Suspect | None = None
    """The call that most likely is the reason."""

    def text(self, title: str) -> str:
        """All of it, in several lines."""
        if self.suspect is None:
            cause = (
                "no clock and no random number was seen; look for variables of a module or "
                "class that change, and for the order of a set"
            )
            instead = "local variables, lists, sorted(…)"
        else:
            call = self.suspect.call
            cause = f"{call.call} {call.what} ({self.suspect.site})"
            instead = call.instead
        return (
            f"workflow {title} is not deterministic: run again over the same events, its code "
            "did something else, as it would after a restart.\n"
            f"  event       {self.event}\n"
            f"  first run   {self.first}\n"
            f"  second run  {self.second}\n"
            f"  cause       {cause}\n"
            f"  instead     {instead}"
        )


def of_divergence(workflow: str, error: NonDeterminismError) -> Finding:
    """The second run asked for something else."""
    second = error.actual or "nothing; it waits"
    return Finding(
        key=(workflow, error.recorded_call_site or error.current_call_site, ""),
        event_id=error.event_id,
        event=str(error.event_id),
        first=_at(error.expected, error.recorded_call_site),
        second=_at(second, error.current_call_site),
        seq=getattr(error.command, "seq", 0),
    )


def of_difference(workflow: str, difference: Difference, events: Sequence[HistoryEvent]) -> Finding:
    """The second run asked for the same with other values."""
    first_site, second_site = difference.recorded_call_site, difference.current_call_site
    return Finding(
        key=(workflow, first_site or second_site or difference.what, difference.path),
        event_id=difference.event_id,
        event=f"{difference.event_id}, {difference.what}, {difference.path}",
        first=_at(_short(difference.recorded), first_site),
        second=_at(_short(difference.current), second_site),
        seq=_seq_of(difference.event_id, events),
    )


def _seq_of(event_id: int, events: Sequence[HistoryEvent]) -> int:
    event = next(event for event in events if event.event_id == event_id)
    field = event.WhichOneof("attributes") or ""
    seq: int = getattr(getattr(event, field), "seq", 0)
    return seq


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def _at(what: str, site: str) -> str:
    return f"{what} ({site})" if site else what

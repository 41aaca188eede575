"""Where the step view can go, whoever holds the replay: this process or another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from sched_cli.errors import UsageError

if TYPE_CHECKING:
    from sched_sdk._stepping import Place, Stepper, View

__all__ = ["Journey", "LocalJourney", "Move", "place_of", "travel"]

MoveName = Literal[
    "stay", "forward", "back", "first", "last", "next_failure", "to_event", "to_line"
]


class Move(NamedTuple):
    """One thing that the view asks for."""

    name: MoveName
    event_id: int = 0
    """Of `to_event`."""
    place: str = ""
    """Of `to_line`, as `file:line`."""


class Journey(Protocol):
    """A replay that is looked at, one position at a time."""

    @property
    def last_event_id(self) -> int: ...

    async def go(self, move: Move) -> View:
        """What is seen there. Raises UsageError, which says why not, and stays."""
        ...

    def close(self) -> None:
        """Nobody looks any more."""
        ...


class LocalJourney:
    """One whose replay runs in this process. Whoever made the stepper closes it."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    @property
    def last_event_id(self) -> int:
        return len(self._stepper.events)

    async def go(self, move: Move) -> View:
        return travel(self._stepper, move)

    def close(self) -> None:
        pass


def travel(stepper: Stepper, move: Move) -> View:
    """Make a move. Raises UsageError, which says why not, and stays."""
    match move.name:
        case "stay":
            return stepper.view
        case "forward":
            return stepper.forward()
        case "back":
            return stepper.back()
        case "first":
            return stepper.first()
        case "last":
            return stepper.last()
        case "next_failure":
            return _found(stepper.next_failure(), "Nothing fails behind this.")
        case "to_event":
            try:
                return stepper.to(move.event_id)
            except LookupError as error:
                raise UsageError(str(error)) from None
        case "to_line":
            place = place_of(move.place)
            return _found(stepper.to_line(place), f"{place} does not run any more behind this.")


def _found(view: View | None, else_: str) -> View:
    if view is None:
        raise UsageError(else_)
    return view


def place_of(text: str) -> Place:
    """A place from `file:line`. Raises UsageError."""
    from sched_sdk._stepping import LineNotFoundError, find_line

    file, _, line = text.rpartition(":")
    if not file or not line.isdigit() or int(line) == 0:
        raise UsageError(f"{text!r} is no place in the code. Write it like app.py:42")
    try:
        return find_line(file, int(line))
    except LineNotFoundError as error:
        raise UsageError(str(error)) from None

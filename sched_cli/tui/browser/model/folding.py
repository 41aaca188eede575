"""A history without its noise.

Two things are folded: the bookkeeping of workflow tasks, which is hidden, and
what repeats: the same one to four events (by type and name) three times or
more in a row, as loops leave them, are one line that can be opened.

Events are handed over as they come. A line can only change while the pattern it
may belong to is not over, so all but the last few lines are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sched_sdk._client.models import Event

__all__ = ["EventLine", "Folding"]

_LONGEST_PERIOD = 4
_FEWEST_TIMES = 3
_LOOK_AHEAD = _LONGEST_PERIOD * _FEWEST_TIMES

_BOOKKEEPING = frozenset({"WorkflowTaskCompleted"})


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event, or what repeats from `first` to `last` (positions among the events)."""

    first: int
    last: int
    period: int = 0
    times: int = 1
    opened: bool = False
    """One event of a pattern that was opened."""


class _Block(NamedTuple):
    """What was laid out in one step: visible events from `start` to before `end`, the
    first of them on `line`."""

    start: int
    end: int
    line: int


@dataclass(slots=True)
class Folding:
    """The events of a run, and the lines to show them in."""

    events: list[Event] = field(default_factory=list)
    folded: bool = True
    lines: list[EventLine] = field(default_factory=list)
    _names: dict[int, str] = field(default_factory=dict)
    _visible: list[int] = field(default_factory=list)
    _shapes: list[tuple[str, str]] = field(default_factory=list)
    _blocks: list[_Block] = field(default_factory=list)
    _laid_out: int = 0
    """How many visible events there were when lines were laid out last."""
    _opened: set[int] = field(default_factory=set)

    @property
    def hidden(self) -> int:
        """How many events are not shown, and not counted in a line."""
        return len(self.events) - len(self._visible)

    def extend(self, events: Iterable[Event]) -> None:
        """More events, in order."""
        for event in events:
            self.events.append(event)
            self._show(len(self.events) - 1)
        self._fold()

    def set_folded(self, folded: bool) -> None:
        """Fold noise, or show every event."""
        self.folded = folded
        self._again()

    def toggle(self, line: EventLine) -> None:
        """Open a line that stands for several; close the pattern of an opened one."""
        if line.times > 1:
            self._opened.add(line.first)
        elif line.opened:
            self._opened.discard(max(start for start in self._opened if start <= line.first))
        self._again()

    def line_of(self, position: int) -> int:
        """The line that shows the event at a position, or the one before it."""
        low, high = 0, len(self.lines)
        while low < high:
            middle = (low + high) // 2
            if self.lines[middle].first <= position:
                low = middle + 1
            else:
                high = middle
        return max(low - 1, 0)

    def _show(self, position: int) -> None:
        event = self.events[position]
        if self.folded and event.type in _BOOKKEEPING:
            return
        attributes = event.attributes
        seq, name = attributes.get("seq"), attributes.get("name", "")
        if seq is not None and name:
            self._names[seq] = name
        self._visible.append(position)
        self._shapes.append((event.type, name or self._names.get(seq or 0, "")))

    def _again(self) -> None:
        for each in (self.lines, self._blocks, self._visible, self._shapes):
            each.clear()
        self._laid_out = 0
        for position in range(len(self.events)):
            self._show(position)
        self._fold()

    def _fold(self) -> None:
        """Lay out again what more events may have changed."""
        count, start, known = len(self._shapes), 0, self._laid_out
        while self._blocks:
            block = self._blocks[-1]
            if block.start + _LOOK_AHEAD <= known and block.end + _LONGEST_PERIOD <= known:
                start = block.end
                break
            self._blocks.pop()
            del self.lines[block.line :]
        while start < count:
            start = self._lay_out(start)
        self._laid_out = count

    def _lay_out(self, start: int) -> int:
        """The next line, or the lines of a pattern that is open; returns where it ends."""
        period, times = self._pattern_at(start) if self.folded else (1, 1)
        end = start + period * times
        first, last = self._visible[start], self._visible[end - 1]
        self._blocks.append(_Block(start, end, len(self.lines)))
        if times > 1 and first not in self._opened:
            self.lines.append(EventLine(first, last, period, times))
        else:
            self.lines += [
                EventLine(position, position, opened=times > 1)
                for position in self._visible[start:end]
            ]
        return end

    def _pattern_at(self, start: int) -> tuple[int, int]:
        """The pattern that covers most from here: its period, and how many times."""
        shapes = self._shapes
        best, covered = (1, 1), 1
        for period in range(1, _LONGEST_PERIOD + 1):
            pattern = shapes[start : start + period]
            times, following = 1, start + period
            while shapes[following : following + period] == pattern and len(pattern) == period:
                times += 1
                following += period
            if times >= _FEWEST_TIMES and period * times > covered:
                best, covered = (period, times), period * times
        return best

"""Tables that fit the terminal they are printed on.

Columns with two spaces between them and no lines: good to read, to copy and to
cut. On a terminal that is too narrow, the columns that may be cut give way first,
the widest of them first, down to a least width; then the least important columns
are left out. In a pipe nothing is cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

from sched_cli.render.cells import cut_end, cut_middle, fill, one_line, width_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

__all__ = ["Column", "Cut", "FittedTable"]

_GAP = 2
_PIECE = 200
"""Lines that are printed at once."""


class Cut(Enum):
    """What a column loses where the terminal is too narrow."""

    NOTHING = "nothing"
    MIDDLE = "middle"
    """For ids and names, whose ends tell them apart."""
    END = "end"
    """For sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How the cells below one title are shown."""

    title: str
    right: bool = False
    """Numbers stand at the right."""
    cut: Cut = Cut.NOTHING
    least: int = 12
    """A column that is cut keeps this width."""
    share: int = 1
    """How much of the width it gets, beside other columns that are cut."""
    weight: int = 0
    """Where cutting is not enough, the column of the highest weight is left out;
    0 is never left out."""


class FittedTable:
    """Rows of words, printed by rich; a cell is text, or text with its style."""

    def __init__(self, *columns: Column) -> None:
        self._columns = columns
        self._rows: list[tuple[tuple[str, str], ...]] = []

    def add(self, *cells: str | tuple[str, str]) -> None:
        """One row: a text for each column, or a text and its style."""
        assert len(cells) == len(self._columns)
        styled = (cell if isinstance(cell, tuple) else (cell, "") for cell in cells)
        self._rows.append(tuple((one_line(text), style) for text, style in styled))

    def lines(self, width: int) -> Iterator[Text]:
        """The title and every row, at most `width` columns wide as far as possible."""
        from rich.text import Text

        shown, widths = self._fit(width)
        titles = tuple((column.title, "dim") for column in self._columns)
        for row in (titles, *self._rows):
            line = Text(no_wrap=True, overflow="ellipsis")
            for position, index in enumerate(shown):
                column, (text, style) = self._columns[index], row[index]
                text = fill(_cutter(column)(text, widths[index]), widths[index], right=column.right)
                line.append(" " * _GAP if position else "").append(text, style=style)
            line.rstrip()
            yield line

    def _fit(self, width: int) -> tuple[list[int], list[int]]:
        """Which columns are shown, and how wide each column is."""
        widths = [self._natural(index) for index in range(len(self._columns))]
        shown = list(range(len(self._columns)))
        while True:
            excess = sum(widths[index] for index in shown) + _GAP * (len(shown) - 1) - width
            if excess <= 0:
                return shown, widths
            slack = sum(max(0, widths[index] - self._floor(index)) for index in shown)
            if slack >= excess or not any(self._columns[index].weight for index in shown):
                self._narrow(shown, widths, min(excess, slack))
                return shown, widths
            shown.remove(max(shown, key=lambda index: self._columns[index].weight))

    def _narrow(self, shown: list[int], widths: list[int], excess: int) -> None:
        """Take `excess` columns away, one at a time where the most are left."""
        for _ in range(excess):
            able = [index for index in shown if widths[index] > self._floor(index)]
            widest = max(able, key=lambda index: widths[index] / self._columns[index].share)
            widths[widest] -= 1

    def _natural(self, index: int) -> int:
        cells = (width_of(row[index][0]) for row in self._rows)
        return max(width_of(self._columns[index].title), *cells, 0)

    def _floor(self, index: int) -> int:
        """How narrow it may become."""
        column = self._columns[index]
        natural = self._natural(index)
        if column.cut is Cut.NOTHING:
            return natural
        return min(natural, max(column.least, width_of(column.title)))

    def print(self, console: Console) -> None:
        """Piece by piece: a long table begins to appear before all of it is laid out, and
        whoever has seen enough of it breaks off there."""
        from rich.console import Group

        lines = self.lines(console.width)
        while piece := list(islice(lines, _PIECE)):
            console.print(Group(*piece))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)


def _cutter(column: Column) -> Callable[[str, int], str]:
    return cut_end if column.cut is Cut.END else cut_middle

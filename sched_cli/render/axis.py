"""Time as columns of the terminal: which of them the bar of a row fills."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sched_cli.timeline import Row

__all__ = ["Axis", "Cell"]


class Cell(StrEnum):
    """What stands in one column of a bar; the later in this list, the stronger."""

    EMPTY = "empty"
    WAITING = "waiting"
    WORKING = "working"
    FAILED = "failed"
    MOMENT = "moment"


_STRENGTH = {cell: strength for strength, cell in enumerate(Cell)}


@dataclass(frozen=True, slots=True)
class Axis:
    """Time from left to right, over `width` columns (at least 1)."""

    start: datetime
    end: datetime
    width: int

    def column(self, time: datetime) -> int:
        """The column in which a time lies; the ends of the axis for times beyond them."""
        whole = (self.end - self.start).total_seconds()
        passed = (time - self.start).total_seconds()
        share = passed / whole if whole > 0 else 0.0
        return min(max(int(share * self.width), 0), self.width - 1)

    def cells(self, row: Row) -> list[Cell]:
        """The bar of a row: never without a mark, however short it was."""
        cells = [Cell.EMPTY] * self.width
        if not row.spans:
            cells[self.column(row.start)] = Cell.MOMENT
        for span in row.spans:
            if span.start > self.end:
                continue  # the next try, which is yet to come
            first, last = self.column(span.start), self.column(span.end or self.end)
            # A span ends where the next begins; it does not need that column too.
            if last > first and span.end is not None and span.end < self.end:
                last = max(first, self.column(span.end - timedelta(microseconds=1)))
            cell = Cell(span.kind.value)
            for column in range(first, last + 1):
                if _STRENGTH[cell] > _STRENGTH[cells[column]]:
                    cells[column] = cell
        return cells

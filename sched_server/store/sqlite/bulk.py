"""One statement for many rows.

Python's sqlite3 lets go of the interpreter lock around every step of a
statement, and a thread that wants it back while the event loop is busy waits
for a switch interval each time. `executemany` makes one step per row, so under
load a batch of 64 took 350 ms where one statement with 64 rows takes 25 (and
idle it is as fast or faster). Hence: one statement per table and batch, with
as many VALUES as there are rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

_LARGE = 64
_MEDIUM = 32
"""Statements exist for 1 … 32 and for 64 rows: few enough to stay prepared, and
a batch of up to 64 rows needs at most two."""


class BulkStatement:
    """`head (?, …), (?, …), … tail`, made for any number of rows.

    `parameters` are the rows, flat; `columns` values make one.
    """

    __slots__ = ("_columns", "_head", "_row", "_tail", "_texts")

    def __init__(self, head: str, columns: int, tail: str = "") -> None:
        self._head = head
        self._columns = columns
        self._tail = tail
        self._row = "(" + ", ".join("?" * columns) + ")"
        self._texts: dict[int, str] = {}

    def execute(self, connection: sqlite3.Connection, parameters: list[Any]) -> int:
        """Run it over all rows; returns how many there were."""
        columns = self._columns
        rows = len(parameters) // columns
        for start, count in _slices(rows):
            part = parameters[start * columns : (start + count) * columns]
            connection.execute(self.text(count), part)
        return rows

    def fetch(
        self, connection: sqlite3.Connection, parameters: list[Any], *behind: Any
    ) -> list[tuple[Any, ...]]:
        """Run it over all rows and collect what it returns. `behind` are the
        parameters of the tail."""
        columns = self._columns
        found: list[tuple[Any, ...]] = []
        for start, count in _slices(len(parameters) // columns):
            part = parameters[start * columns : (start + count) * columns]
            found += connection.execute(self.text(count), (*part, *behind)).fetchall()
        return found

    def text(self, rows: int) -> str:
        """The SQL for so many rows; the same object each time, which makes the
        look-up of the prepared statement cheap."""
        text = self._texts.get(rows)
        if text is None:
            values = ", ".join([self._row] * rows)
            text = self._texts[rows] = f"{self._head} {values} {self._tail}".rstrip()
        return text


def _slices(rows: int) -> list[tuple[int, int]]:
    """(start, count) of the statements that `rows` rows take."""
    slices = []
    start = 0
    while (left := rows - start) > 0:
        count = _LARGE if left >= _LARGE else min(_MEDIUM, left)
        slices.append((start, count))
        start += count
    return slices

"""The timeline: a bar on a common axis for everything that took time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from sched_cli.render.times import age, duration
from sched_cli.tui.browser.widgets.common.line_list import LineList
from sched_cli.tui.browser.widgets.common.painting import cells, fit, now_of, palette_for

if TYPE_CHECKING:
    from datetime import datetime

    from sched_cli.tui.browser.model.one_run import OneRun
    from sched_cli.tui.browser.model.timeline import Row

_TIMES = "\N{MULTIPLICATION SIGN}"
_KIND, _TRIES, _WORDS = 9, 5, 18
_NARROWEST_NAME, _WIDEST_NAME = 10, 40
_MARGIN = 1

_LOOKS = {
    "running": ("●", "run"),
    "waiting": ("○", "warn"),
    "retrying": ("↻", "warn"),
    "done": ("✓", "good"),
    "failed": ("✗", "bad"),
    "canceled": ("⊘", "dim"),
    "happened": ("◆", "accent"),
}


class TimelineRows(LineList):
    """One row for each activity, step, timer and signal."""

    empty = "No events yet."

    def __init__(self, run: OneRun) -> None:
        super().__init__(id="timeline")
        self._run = run
        self._longest = 0
        """The longest name among the rows that were measured."""
        self._measured = 0

    def lines_changed(self) -> None:
        rows = self._run.timeline.rows
        for row in rows[self._measured :]:
            self._longest = max(self._longest, cell_len(row.name))
        self._measured = len(rows)
        super().lines_changed()

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        rows = self._run.timeline.rows
        return rows[self.cursor] if self.cursor < len(rows) else None

    def line_count(self) -> int:
        return len(self._run.timeline.rows)

    def _widths(self, width: int) -> tuple[int, int]:
        """Of names, which is as wide as they need, and of the axis."""
        widest = min(max(width // 4, _NARROWEST_NAME), _WIDEST_NAME)
        name = min(max(self._longest + 1, _NARROWEST_NAME), widest)
        return name, max(width - _MARGIN - 2 - _KIND - name - _TRIES - _WORDS - 3, 5)

    def titles(self, width: int) -> Text:
        name, axis = self._widths(width)
        line = (
            " " * (_MARGIN + 2)
            + fit("KIND", _KIND)
            + fit("NAME", name)
            + fit("TRIES", _TRIES, right=True)
        )
        start = self._run.timeline.start
        if start is None:
            return Text(line)
        end = self._run.timeline.end(now_of(self))
        length = duration(end - start) if self._run.timeline.closed else age(start, end)
        line += "  0" + fit(length, axis - 1, right=True) + "  " + fit("TOOK", _WORDS - 1)
        return Text(line)

    def line(self, index: int, width: int) -> Text:
        row = self._run.timeline.rows[index]
        palette, now = palette_for(self), now_of(self)
        name, axis = self._widths(width)
        symbol, role = _LOOKS[row.state]
        colour = palette.of(role)
        tries = f"{_TIMES}{row.attempts}" if row.attempts > 1 else ""
        words = row.words(now)
        return cells(
            (f"{' ' * _MARGIN}{symbol} ", colour),
            (fit(row.kind, _KIND), palette.dim),
            (fit(row.name, name - 1) + " ", palette.text),
            (fit(tries, _TRIES, right=True) + "  ", palette.warn),
            *((part, palette.of(r)) for part, r in self._bar(row, axis, now, role)),
            ("  " + fit(words, _WORDS - 1), palette.dim if row.end else colour),
        )

    def _bar(self, row: Row, axis: int, now: datetime, role: str) -> list[tuple[str, str]]:
        timeline = self._run.timeline
        assert timeline.start is not None
        whole = max((timeline.end(now) - timeline.start).total_seconds(), 1e-9)

        def column(time: datetime) -> int:
            part = (time - timeline.start).total_seconds() / whole  # type: ignore[operator]  # asserted
            return min(max(int(part * axis), 0), axis - 1)

        first, last = column(row.start), column(row.end or now)
        if row.state == "happened":
            bar = "◆"
        elif row.end is None:
            bar = "━" * (last - first) + "▶"
        else:
            bar = "━" * (last - first + 1)
        # A light track shows which row a far bar belongs to.
        return [("·" * first, "track"), (bar, role), (" " * (axis - first - len(bar)), "dim")]

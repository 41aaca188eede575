"""The table of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sched_cli.render.times import age, ago, duration, roughly_ago
from sched_cli.tui.browser.model.run_list import RunKey, RunList, key_of
from sched_cli.tui.browser.model.statuses import LOOKS
from sched_cli.tui.browser.widgets.common.line_list import LineList
from sched_cli.tui.browser.widgets.common.painting import (
    cells,
    fit,
    fit_middle,
    now_of,
    palette_for,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sched_sdk._client.models import WorkflowInfo

_STATUS, _STARTED, _TOOK, _EVENTS = 13, 14, 10, 7
_LAST, _WHEN, _QUEUE, _BUILD = 35, 11, 14, 13
_DETAILS = 30
_NARROW, _WIDE, _WIDER = 70, 119, 149
"""From how many columns on events are counted, the last event is shown, and what runs say
they are doing is; or queue and build, where none says anything."""
_WIDEST = _WIDER + _QUEUE + _BUILD
"""From how many columns on there is room for all of it."""


class RunTable(LineList):
    """One run a line. The cursor stays on its run, whatever comes or goes."""

    empty = "No workflows yet. Start one: sched workflow start NAME"
    margin_left = 2

    def __init__(self, runs: RunList, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self.runs = runs
        self._on: RunKey | None = None

    @property
    def run(self) -> WorkflowInfo | None:
        """The run under the cursor."""
        return self.runs[self.cursor] if self.cursor < len(self.runs) else None

    def runs_changed(self) -> None:
        """The list has other runs: the cursor goes where its run went."""
        position = self.runs.position(self._on)
        at_top = self.scroll_offset.y == 0
        self.lines_changed()
        if position is not None and position != self.cursor:
            self.move_cursor(position, keep_line=not at_top)
        self._remember()

    def watch_cursor(self, before: int, after: int) -> None:
        super().watch_cursor(before, after)
        self._remember()

    def _remember(self) -> None:
        run = self.run
        self._on = None if run is None else key_of(run)

    def line_count(self) -> int:
        return len(self.runs)

    def is_marked(self, index: int) -> bool:
        return key_of(self.runs[index]) in self.runs.marked

    @property
    def shows_last_event(self) -> bool:
        """There is room for it."""
        return self.scrollable_content_region.width >= _WIDE

    @property
    def shows_details(self) -> bool:
        """There is room for them."""
        return self.scrollable_content_region.width >= _WIDER

    def _has_details(self, width: int) -> bool:
        return width >= _WIDER and self.runs.say_something

    def _has_queue(self, width: int) -> bool:
        return width >= (_WIDEST if self.runs.say_something else _WIDER)

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Of id, type and details: what the other columns leave."""
        room = width - 2 - _STATUS - _STARTED - _TOOK - 2
        room -= _EVENTS if width >= _NARROW else 0
        room -= 2 + _LAST if width >= _WIDE else 0
        room -= _QUEUE + _BUILD if self._has_queue(width) else 0
        details = 0
        if self._has_details(width):
            details = max(_DETAILS, room // 2)
            room -= details
        identity = max(room * 3 // 5, 8)
        return identity, max(room - identity - 1, 4), details

    def titles(self, width: int) -> Text:
        identity, kind, details = self._widths(width)
        line = "  " + fit("STATUS", _STATUS) + fit("ID", identity) + " " + fit("TYPE", kind)
        line += fit("STARTED", _STARTED, right=True) + fit("TOOK", _TOOK, right=True)
        if width >= _NARROW:
            line += fit("EVENTS", _EVENTS, right=True)
        if width >= _WIDE:
            line += "  " + fit("LAST EVENT", _LAST)
        if details:
            line += fit("DETAILS", details)
        if self._has_queue(width):
            line += fit("QUEUE", _QUEUE) + fit("BUILD", _BUILD)
        return Text(line)

    def line(self, index: int, width: int) -> Text:
        run = self.runs[index]
        palette, now = palette_for(self), now_of(self)
        identity, kind, details = self._widths(width)
        look = LOOKS[run.status.value]
        closed = run.close_time
        took = duration(closed - run.start_time) if closed else age(run.start_time, now)
        line = cells(
            ("▌ " if self.is_marked(index) else "  ", palette.warn),
            (fit(f"{look.symbol} {look.word}", _STATUS), palette.of(look.role)),
            (fit(fit_middle(run.workflow_id, identity), identity), palette.text),
            (" " + fit(run.workflow_type, kind), palette.dim),
            (fit(ago(run.start_time, now), _STARTED, right=True), palette.text),
            (fit(took, _TOOK, right=True), palette.dim if run.close_time else palette.run),
        )
        if width >= _NARROW:
            line.append(fit(str(run.history_length), _EVENTS, right=True), palette.text)
        if width >= _WIDE:
            what, when = _last_event(run, now)
            line.append("  " + fit(what, _LAST - _WHEN), palette.text)
            line.append(fit(when, _WHEN - 2, right=True) + "  ", palette.dim)
        if details:
            line.append(fit(run.details, details - 2) + "  ", palette.text)
        if self._has_queue(width):
            line.append(fit(run.task_queue, _QUEUE - 1) + " ", palette.dim)
            line.append(fit(run.build_id, _BUILD), palette.dim)
        return line


def _last_event(run: WorkflowInfo, now: datetime) -> tuple[str, str]:
    """What it was, and how long ago."""
    last = run.last_event
    return ("", "") if last is None else (last.type, roughly_ago(last.time, now))

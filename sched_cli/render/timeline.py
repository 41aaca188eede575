"""A run's timeline on a terminal: one line for each activity, step, timer and signal.

          0                                            +4.2 s
charge    ✗✗✗✗✗✗✗░░░░░░░██████████                      2.1 s, 2 attempts
approve                           ◆                     signal
timer                             ░░░░░░░░░░░░░░░░░░░░  1 h, due in 58 m
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render.axis import Axis, Cell
from sched_cli.render.cells import cut_middle, fill, one_line, width_of
from sched_cli.render.times import duration, until
from sched_cli.timeline import Row, RowKind, RowState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.text import Text

    from sched_cli.timeline import Timeline
    from sched_sdk._client.models import WorkflowDescription

__all__ = ["timeline_lines"]

_LOOKS = {
    Cell.EMPTY: (" ", ""),
    Cell.WAITING: ("░", "dim"),
    Cell.WORKING: ("█", "green"),
    Cell.FAILED: ("✗", "red"),
    Cell.MOMENT: ("◆", "cyan"),
}
_MOST_ROWS = 20
_WIDEST = 140
_NAME_WIDTH = 26
_NOTE_WIDTH = 24
_NARROWEST_BAR = 10


def timeline_lines(
    timeline: Timeline, description: WorkflowDescription, now: datetime, width: int
) -> Iterator[Text]:
    """The picture, at most `width` columns wide; nothing for a run of which there
    is nothing to draw. Of many rows those that are open, and the newest."""
    from rich.text import Text

    rows = timeline.rows(description)
    if not rows or timeline.start is None:
        return
    shown = _chosen(rows)
    names = max(width_of(one_line(row.name)) for row in shown)
    name_width = min(names, _NAME_WIDTH)
    bar_width = max(_NARROWEST_BAR, min(width, _WIDEST) - name_width - _NOTE_WIDTH - 4)
    axis = Axis(timeline.start, max(timeline.end or now, rows[-1].start), bar_width)
    whole = f"+{duration(axis.end - axis.start)}"
    yield Text(f"{'':<{name_width}}  0{whole:>{bar_width - 1}}", style="dim")
    for row in shown:
        yield Text.assemble(
            (_name(row, name_width) + "  ", _name_style(row)),
            *(_LOOKS[cell] for cell in axis.cells(row)),
            ("  " + cut_middle(_note(row, now), _NOTE_WIDTH), _note_style(row)),
        )
    left_out = len(rows) - len(shown)
    if left_out:
        rest = "1 more row" if left_out == 1 else f"{left_out} more rows"
        yield Text(f"{rest}: sched workflow history {description.info.workflow_id}", style="dim")


def _chosen(rows: Sequence[Row]) -> list[Row]:
    if len(rows) <= _MOST_ROWS:
        return list(rows)
    newest = list(reversed(rows))
    by_weight = sorted(newest, key=lambda row: row.state is not RowState.OPEN)
    kept = {row.event_id for row in by_weight[:_MOST_ROWS]}
    return [row for row in rows if row.event_id in kept]


def _note(row: Row, now: datetime) -> str:
    if row.kind is RowKind.SIGNAL:
        return "signal"
    if row.kind is RowKind.CANCEL:
        return ""
    if row.kind is RowKind.TIMER:
        return _timer_note(row, now)
    tries = f", {row.attempts} attempts" if row.attempts > 1 else ""
    if row.state is RowState.OPEN and row.due is not None and row.due > now:
        return f"try {row.attempts} {until(row.due, now)}"
    took = duration((row.end or now) - row.start)
    ending = {RowState.FAILED: " failed", RowState.CANCELED: " canceled", RowState.OPEN: " …"}
    return f"{took}{tries}{ending.get(row.state, '')}"


def _timer_note(row: Row, now: datetime) -> str:
    length = duration(row.length) if row.length is not None else ""
    if row.state is RowState.OPEN and row.due is not None:
        return f"{length}, due {until(row.due, now)}"
    return f"{length}, canceled" if row.state is RowState.CANCELED else length


def _name(row: Row, width: int) -> str:
    return fill(cut_middle(one_line(row.name), width), width)


def _name_style(row: Row) -> str:
    return {RowState.FAILED: "red", RowState.OPEN: "bold"}.get(row.state, "")


def _note_style(row: Row) -> str:
    return {RowState.FAILED: "red", RowState.OPEN: ""}.get(row.state, "dim")

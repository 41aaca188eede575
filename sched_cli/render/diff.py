"""Two runs side by side, for people: made to fit 80 columns, and to use more.

< only the left one did it     > only the right one
~ both did, with another payload or outcome
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sched_cli.render.plain import compact
from sched_cli.render.tables import Column, Cut, FittedTable
from sched_cli.render.times import duration, local

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from sched_cli.diffing.comparison import Comparison, Place, Row
    from sched_cli.diffing.timeline import Entry, Timeline

# Lists up to this length are shown in full; in longer ones, so many rows around
# each that differs.
_SHORT = 40
_CONTEXT = 3
_SHOWN_ROWS = 60
_SHOWN_PLACES = 5
# The beginning of a run id is enough for every command that takes one.
_RUN_ID_LENGTH = 13
_VALUE_LIMIT = 200
_STYLES = {"<": "red", ">": "green", "~": "yellow", " ": ""}
_GOOD = ("completed", "fired", "recorded", "received")


def diff_parts(comparison: Comparison, *, everything: bool) -> Iterator[RenderableType]:
    """The parts, from top to bottom."""
    yield _head(comparison)
    yield ""
    for title, rows in (("COMMAND", comparison.commands), ("SIGNAL", comparison.signals)):
        if rows:
            yield from _rows(title, rows, everything=everything)
            yield ""
    details = [*_details(comparison)]
    yield from details
    if details:
        yield ""
    yield _verdict(comparison)


def _head(comparison: Comparison) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for side, name in (("left", comparison.left), ("right", comparison.right)):
        table.add_column(f"{'<' if side == 'left' else '>'} {name.workflow_id}", overflow="fold")
    sides = (comparison.left, comparison.right)
    for title, values in (
        ("run", [run.run_id[:_RUN_ID_LENGTH] for run in sides]),
        ("type", [run.workflow_type for run in sides]),
        ("status", [run.status for run in sides]),
        ("started", [_started(run) for run in sides]),
        ("took", [duration(timedelta(seconds=run.duration)) for run in sides]),
        ("events", [f"{run.events:,}" for run in sides]),
    ):
        telling = title in ("type", "status") and values[0] != values[1]
        style = _STYLES["~"] if telling else ""
        table.add_row(Text(title, style="dim"), *(Text(value, style=style) for value in values))
    return table


def _started(run: Timeline) -> str:
    return local(datetime.fromtimestamp(run.start_time_us / 1_000_000, UTC))


def _rows(title: str, rows: Sequence[Row], *, everything: bool) -> Iterator[RenderableType]:
    numbers = [
        Column(title=name, right=True) for mark in "<>" for name in (f"{mark} AT", "TOOK", "TRIES")
    ]
    table = FittedTable(Column(title=""), Column(title=title, cut=Cut.END, least=16), *numbers)
    shown = _shown(rows) if not everything and len(rows) > _SHORT else [*range(len(rows))]
    last = -1
    for index in shown:
        if index > last + 1:
            table.add("", _left_out(index - last - 1), *_times(None), *_times(None))
        row = rows[index]
        mark = _mark(row)
        style = _STYLES[mark]
        table.add((mark, style), (_title(row), style), *_times(row.left), *_times(row.right))
        last = index
    if last < len(rows) - 1:
        table.add("", _left_out(len(rows) - 1 - last), *_times(None), *_times(None))
    yield table


def _left_out(count: int) -> tuple[str, str]:
    return f"… {count:,} more …", "dim"


def _shown(rows: Sequence[Row]) -> list[int]:
    """The rows that differ and those around, up to a bound."""
    shown: dict[int, None] = {}
    for index, row in enumerate(rows):
        if not row.equal:
            around = range(max(0, index - _CONTEXT), min(len(rows), index + _CONTEXT + 1))
            shown.update(dict.fromkeys(around))
        if len(shown) >= _SHOWN_ROWS:
            break
    return sorted(shown)


def _mark(row: Row) -> str:
    if row.left is None:
        return ">"
    if row.right is None:
        return "<"
    return "~" if row.differences else " "


def _title(row: Row) -> str:
    entries = [entry for entry in (row.left, row.right) if entry is not None]
    titles = list(dict.fromkeys(entry.title for entry in entries))
    outcomes = list(dict.fromkeys(entry.outcome for entry in entries))
    said = " | ".join(titles)
    return said if all(one in _GOOD for one in outcomes) else f"{said}: {' | '.join(outcomes)}"


def _times(entry: Entry | None) -> tuple[str, str, str]:
    if entry is None:
        return "", "", ""
    took = "" if entry.duration is None else duration(timedelta(seconds=entry.duration))
    at = duration(timedelta(seconds=entry.offset))
    return at, took, str(entry.attempts) if entry.attempts else ""


def _details(comparison: Comparison) -> Iterator[RenderableType]:
    """Payloads and outcomes that differ, by path."""
    from rich.text import Text

    found: list[tuple[str, Sequence[Place]]] = [("workflow", comparison.differences)]
    for row in (*comparison.commands, *comparison.signals):
        if row.differences and row.left is not None and row.right is not None:
            ids = f"events {row.left.event_id} and {row.right.event_id}"
            found.append((f"{row.left.title}, {ids}", row.differences))
    told = [(title, places) for title, places in found if places]
    for title, places in told[:_SHOWN_ROWS]:
        yield Text(title, style="bold")
        for place in places[:_SHOWN_PLACES]:
            yield Text(f"  {place.path}")
            yield _value("<", place.left)
            yield _value(">", place.right)
        if len(places) > _SHOWN_PLACES:
            yield f"  and {len(places) - _SHOWN_PLACES:,} more"
    if len(told) > _SHOWN_ROWS:
        yield f"And {len(told) - _SHOWN_ROWS:,} more with other values; --output json has all."


def _value(mark: str, value: Any) -> Text:
    from rich.text import Text

    text = Text(f"    {mark} {compact(value, _VALUE_LIMIT)}", style=_STYLES[mark])
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _verdict(comparison: Comparison) -> Text:
    from rich.text import Text

    if comparison.equal:
        return Text("Both did the same, with the same results.")
    if comparison.parts_at is None:
        return Text("Both did the same, but not all values are the same.")
    row = comparison.commands[comparison.parts_at]
    following = comparison.commands[comparison.parts_at :]
    left = row.left or next((one.left for one in following if one.left), None)
    right = row.right or next((one.right for one in following if one.right), None)
    return Text(f"They part where < does {_does(left)}, and > does {_does(right)}.")


def _does(entry: Entry | None) -> str:
    if entry is None:
        return "nothing more"
    site = f", {entry.call_site}" if entry.call_site else ""
    return f"{entry.title} (event {entry.event_id}{site})"

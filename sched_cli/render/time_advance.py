"""How far a clock was moved, on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render.times import duration, local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from sched_sdk._client.models import TimeAdvance

_SHOWN = 5


def advance_lines(moved: TimeAdvance) -> Iterator[Text]:
    """How far, what fired, whom it touched, and what stopped it."""
    from rich.text import Text

    now = local(moved.cluster_time)
    yield Text(f"The clock moved {duration(moved.advanced)} ahead; it is {now} now.")
    yield Text(_fired(moved))
    ids = moved.workflow_ids[:_SHOWN]
    if ids:
        more = moved.workflows_touched - len(ids)
        yield Text(f"  {', '.join(ids)}{f' and {more} more' if more else ''}", style="dim")
    if moved.stopped_by:
        yield Text(
            f"It stopped there: {moved.stopped_by}. Time does not move past work that is under "
            "way; wait for it, or give it longer with --patience.",
            style="yellow",
        )


def _fired(moved: TimeAdvance) -> str:
    if not moved.timers_fired:
        return "No timer was due."
    timers = "1 timer" if moved.timers_fired == 1 else f"{moved.timers_fired} timers"
    touched = moved.workflows_touched
    return f"{timers} fired, of {'1 workflow' if touched == 1 else f'{touched} workflows'}."

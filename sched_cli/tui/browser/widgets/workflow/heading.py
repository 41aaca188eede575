"""Which run this is, and why it is where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.widgets import Static

from sched_cli.render.times import ago, duration, size
from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.model.statuses import LOOKS
from sched_cli.tui.browser.widgets.common.painting import (
    cells,
    fit,
    joined,
    now_of,
    palette_for,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sched_cli.tui.browser.model.one_run import OneRun
    from sched_cli.tui.palette import Palette
    from sched_sdk._client.models import WorkflowDescription

_TALL = 40
_SHOWN_TALL = 3


class Heading(EnduringWidget, Static):
    """The reason first: it is what one came for. On a tall screen, some more."""

    DEFAULT_CSS = """
    Heading { height: auto; max-height: 10; padding: 0 1; background: $surface; }
    """

    def __init__(self, run: OneRun) -> None:
        super().__init__("")
        self._run = run

    def on_resize(self) -> None:
        # What is read before the layout is known was fitted to no width.
        self.show()

    def show(self) -> None:
        """Paint what is known now."""
        description = self._run.description
        if description is None:
            return
        palette, now = palette_for(self), now_of(self)
        text = Text()
        shown = _SHOWN_TALL if self.screen.size.height >= _TALL else 1
        found = self._run.reasons(now)
        for reason in found[:shown]:
            text.append(reason.sentence, palette.warn if reason.stuck else palette.text)
            text.append("\n")
        width = max(self.size.width, 20)
        more = len(found) - shown
        others = f"and {more} more {'reason' if more == 1 else 'reasons'}"
        text.append_text(self._state(description, palette, now, width))
        said = " ".join(description.info.details.split())
        notes = [*([f"It says: {said}"] if said else []), *([others] if more > 0 else [])]
        if notes:
            text.append("\n" + fit(" · ".join(notes), width).rstrip(), palette.dim)
        self.update(text)

    @staticmethod
    def _state(
        description: WorkflowDescription, palette: Palette, now: datetime, width: int
    ) -> Text:
        info = description.info
        look = LOOKS[info.status.value]
        facts = [
            info.workflow_type,
            f"started {ago(info.start_time, now)}",
            *([f"took {duration(info.close_time - info.start_time)}"] if info.close_time else []),
            f"{info.history_length} events, {size(description.history_bytes)}",
            f"queue {info.task_queue}",
            f"run {info.run_id}",
        ]
        state = cells((f"{look.symbol} {look.word}", f"bold {palette.of(look.role)}"))
        state.append(" · ", palette.dim)
        state.append(joined(facts, width - state.cell_len), palette.dim)
        return state

"""Tabs: how many runs there are of each status, and which are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.messages import StatusesChosen
from sched_cli.tui.browser.model.statuses import LOOKS, STATUSES
from sched_cli.tui.browser.widgets.common.painting import cells, palette_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from textual import events

    from sched_sdk._client.models import WorkflowStatus

_NARROW = 100


class StatusTabs(EnduringWidget, Widget):
    """One line; a click or an arrow key chooses."""

    DEFAULT_CSS = "StatusTabs { height: 1; padding: 0 1; background: $surface; }"

    counts: reactive[dict[str, int]] = reactive(dict)
    chosen: reactive[frozenset[str]] = reactive(frozenset())

    def set_counts(self, by_status: Mapping[WorkflowStatus, int]) -> None:
        """How many there are, by status."""
        self.counts = {status.value: number for status, number in by_status.items()}

    def step(self, by: int) -> None:
        """To the next tab, or the one before."""
        tabs = [frozenset[str](), *(frozenset({status}) for status in STATUSES)]
        here = tabs.index(self.chosen) if self.chosen in tabs else 0
        self.post_message(StatusesChosen(tabs[(here + by) % len(tabs)]))

    def on_click(self, event: events.Click) -> None:
        left = 0
        for status, text in self._tabs():
            left += text.cell_len
            if event.x - 1 < left:
                self.post_message(StatusesChosen(frozenset({status} if status else ())))
                return

    def render(self) -> Text:
        line = cells()
        for _, text in self._tabs():
            line.append_text(text)
        return line

    def _tabs(self) -> Iterator[tuple[str, Text]]:
        palette = palette_for(self)
        narrow = self.size.width < _NARROW
        total = sum(self.counts.values())
        on = f"bold {palette.text} on {palette.cursor}"
        yield "", cells((f" All {_short(total)} ", palette.dim if self.chosen else on))
        for status in STATUSES:
            look, number = LOOKS[status], self.counts.get(status, 0)
            here = status in self.chosen
            word = look.word.lower() if here or not narrow else ""
            label = f" {look.symbol} {' '.join(filter(None, (_short(number), word)))} "
            style = palette.of(look.role) if number else palette.dim
            yield status, cells((label, on if here else style))


def _short(number: int) -> str:
    if number < 10_000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"

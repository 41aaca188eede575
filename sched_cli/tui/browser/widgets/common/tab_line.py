"""Tabs on one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import cells, palette_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

_NARROW = 100


class TabChosen(Message):
    """Another tab is shown."""

    def __init__(self, tab: str) -> None:
        super().__init__()
        self.tab = tab


class TabLine(EnduringWidget, Widget):
    """A click or an arrow key chooses; each tab may have a number beside it."""

    DEFAULT_CSS = "TabLine { height: 1; background: $surface; }"

    chosen: reactive[str] = reactive("")
    counts: reactive[dict[str, int]] = reactive(dict)
    note: reactive[str] = reactive("")
    """What stands at the right, where there is room."""

    def __init__(self, tabs: Sequence[str]) -> None:
        super().__init__()
        self._tabs = tabs
        self.set_reactive(TabLine.chosen, tabs[0])

    def step(self, by: int) -> None:
        """To the next tab, or the one before."""
        self.chosen = self._tabs[(self._tabs.index(self.chosen) + by) % len(self._tabs)]

    def watch_chosen(self, tab: str) -> None:
        self.post_message(TabChosen(tab))

    def on_click(self, event: events.Click) -> None:
        left = 0
        for tab, label in self._labels():
            left += len(label)
            if event.x < left:
                self.chosen = tab
                return

    def _labels(self) -> list[tuple[str, str]]:
        space = "" if self.size.width < _NARROW else " "
        return [
            (tab, f" {space}{tab}{f' {self.counts[tab]}' if self.counts.get(tab) else ''}{space} ")
            for tab in self._tabs
        ]

    def render(self) -> Text:
        palette = palette_for(self)
        line = cells()
        for tab, label in self._labels():
            on = f"bold {palette.text} on {palette.cursor}"
            line.append(label, on if tab == self.chosen else palette.dim)
        room = self.size.width - line.cell_len
        if self.note and room > len(self.note) + 1:
            line.append(f"{self.note} ".rjust(room), palette.accent)
        return line

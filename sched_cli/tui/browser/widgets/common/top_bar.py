"""The first line of every screen: where one is, and which engine answers."""

from __future__ import annotations

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import cells, fit_middle, palette_for


class TopBar(EnduringWidget, Widget):
    """`sched  Workflows  Cluster            ● localhost:50051`"""

    DEFAULT_CSS = "TopBar { height: 1; background: $panel; }"

    connected: reactive[bool] = reactive(False)
    engine: reactive[str] = reactive("")

    def __init__(self, here: str) -> None:
        super().__init__()
        self._here = here

    def render(self) -> Text:
        palette = palette_for(self)
        symbol, style = ("●", palette.good) if self.connected else ("○", palette.bad)
        right = cells((f" {symbol} ", style), (self.engine, palette.dim), (" ", ""))
        room = self.size.width - right.cell_len
        left = cells((" sched ", f"bold {palette.accent}"))
        for key, name in (("1", "Workflows"), ("2", "Cluster")):
            style = f"bold {palette.text}" if name == self._here else palette.dim
            left.append(f"  {key} ", palette.run)
            left.append(name, style)
        if self._here not in ("Workflows", "Cluster"):
            left.append("  ▸ ", palette.dim)
            here = fit_middle(self._here, max(room - left.cell_len, 1))
            left.append(here, f"bold {palette.text}")
        left.truncate(max(room, 0), overflow="ellipsis", pad=True)
        return cells() + left + right

"""The first line of every screen: where one is, and which engine answers."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import cells, fit, palette_for


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
        left = cells((" sched ", f"bold {palette.accent}"))
        for key, name in (("1", "Workflows"), ("2", "Cluster")):
            style = f"bold {palette.text}" if name == self._here else palette.dim
            left.append(f"  {key} ", palette.run)
            left.append(name, style)
        if self._here not in ("Workflows", "Cluster"):
            left.append("  ▸ ", palette.dim)
            left.append(self._here, f"bold {palette.text}")
        symbol, style = ("●", palette.good) if self.connected else ("○", palette.bad)
        right = cells((f"{symbol} ", style), (self.engine, palette.dim), (" ", ""))
        room = self.size.width - right.cell_len
        if cell_len(left.plain) > room - 1:
            left = Text(fit(left.plain, max(room - 1, 0)), palette.text)
        left.append(" " * max(room - cell_len(left.plain), 1))
        return cells() + left + right

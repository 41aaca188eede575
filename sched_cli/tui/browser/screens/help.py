"""`?`: the keys of the screen behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from sched_cli.tui.browser.enduring import Enduring
from sched_cli.tui.browser.widgets.common.painting import palette_for

__all__ = ["HelpScreen", "KeyHelp"]

KeyHelp = tuple[str, Sequence[tuple[str, str]]]
"""A heading, and keys with what they do."""

EVERYWHERE: KeyHelp = (
    "Everywhere",
    (
        ("1 2", "workflows, cluster"),
        ("ctrl+p", "command palette: every action by name"),
        ("t", "dark or light"),
        ("escape", "back"),
        ("q  ctrl+q", "quit"),
    ),
)
LISTS: KeyHelp = (
    "In lists",
    (
        ("↑ ↓  j k", "line by line"),
        ("pgup pgdn", "page by page"),
        ("home end  g G", "first, last"),
        ("enter", "open"),
    ),
)


class HelpScreen(Enduring, ModalScreen[None]):
    """Any key closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 74; max-width: 95%; height: auto; max-height: 100%;
        background: $panel; border: round $primary; padding: 0 1; scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close")
    ]

    def __init__(self, own: Sequence[KeyHelp]) -> None:
        super().__init__()
        self._parts = [*own, LISTS, EVERYWHERE]

    def compose(self) -> ComposeResult:
        palette = palette_for(self)
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, style=palette.run)
        table.add_column(style=palette.text)
        for heading, keys in self._parts:
            table.add_row(Text(heading, f"bold {palette.text}"))
            for key, meaning in keys:
                table.add_row(f" {key}", meaning)
        with VerticalScroll() as box:
            box.border_title = "Keys"
            yield Static(table)

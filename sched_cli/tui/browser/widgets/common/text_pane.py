"""Text that scrolls."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import palette_for, recoloured


class TextPane(EnduringWidget, VerticalScroll):
    """Lines, as the commands print them, in the colours of the theme."""

    DEFAULT_CSS = """
    TextPane { height: 1fr; padding-left: 1; scrollbar-size-vertical: 1; }
    TextPane Static { width: 1fr; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self._text = Text()

    def compose(self) -> ComposeResult:
        yield Static("")

    def show(self, lines: Iterable[Text]) -> None:
        """Show these lines; painted again only when they say something else."""
        text = Text("\n").join([*lines])
        if text != self._text:
            self._text = text
            self.query_one(Static).update(recoloured(text, palette_for(self)))

    def repaint(self) -> None:
        """The theme is another."""
        self.query_one(Static).update(recoloured(self._text, palette_for(self)))

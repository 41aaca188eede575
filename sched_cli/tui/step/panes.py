"""What all panes have in common: a title, a text, and scrolling it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from sched_sdk._stepping import View

__all__ = ["CHANGED", "CURRENT", "FAINT", "Pane"]

CURRENT = "$text-primary bold"
CHANGED = "$text-warning bold"
FAINT = "$foreground 70%"


class Pane(VerticalScroll, inherit_bindings=False):
    """Scrolled by up and down; left and right step through the history."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "Up", show=False),
        Binding("down,j", "scroll_down", "Down", show=False),
        Binding("pageup", "page_up", "Page up", show=False),
        Binding("pagedown", "page_down", "Page down", show=False),
    ]
    ALLOW_MAXIMIZE = True
    DEFAULT_CSS = """
    Pane {
        border-top: solid $foreground 30%;
        border-title-color: $text-muted;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        &:focus {
            border-top: heavy $primary;
            border-title-color: $text-primary;
            border-title-style: bold;
        }
        Static {
            width: 1fr;
            height: auto;
            text-wrap: nowrap;
            text-overflow: ellipsis;
        }
        &.-maximized Static {
            text-wrap: wrap;
        }
    }
    """

    _revealed: int | None = None
    """The row of the text that belongs in the middle."""

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, view: View) -> None:
        """Show the pane's part of a position."""
        raise NotImplementedError

    def reveal(self, row: int) -> None:
        """Scroll so that a row is in the middle, also once the layout is another."""
        self._revealed = row
        self.call_after_refresh(self._scroll_to_revealed)

    def stay(self) -> None:
        """Scroll nowhere: forget what was revealed."""
        self._revealed = None

    def on_resize(self) -> None:
        # The pane, or its text: what was revealed may have been out of reach before.
        self._scroll_to_revealed()

    def _scroll_to_revealed(self) -> None:
        if self._revealed is not None:
            middle = self.scrollable_content_region.height // 2
            top = max(0, self._revealed - middle)
            self.scroll_to(y=top, animate=False, immediate=True, force=True)

    def set_text(self, title: str, lines: list[Content]) -> None:
        self.border_title = Content(title)
        self.query_one(Static).update(Content("\n").join(lines))
        self.stay()
        self.scroll_home(animate=False, immediate=True)

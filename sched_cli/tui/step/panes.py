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
FAINT = "$foreground 55%"


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

    def compose(self) -> ComposeResult:
        yield Static()

    def show(self, view: View) -> None:
        """Show the pane's part of a position."""
        raise NotImplementedError

    def reveal(self, row: int) -> None:
        """Scroll so that a row is in the middle, once the layout is known."""

        def scroll() -> None:
            middle = self.scrollable_content_region.height // 2
            self.scroll_to(y=max(0, row - middle), animate=False, immediate=True, force=True)

        self.call_after_refresh(scroll)

    def set_text(self, title: str, lines: list[Content]) -> None:
        self.border_title = Content(title)
        self.query_one(Static).update(Content("\n").join(lines))
        self.scroll_home(animate=False)

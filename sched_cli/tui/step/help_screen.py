"""The keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType

__all__ = ["HelpScreen"]

_KEYS = (
    ("→  n", "one position on"),
    ("←  p", "one position back"),
    ("Home  End", "the first, the last position"),
    ("g", "go to an event, by its number"),
    ("f", "the next failure, or the divergence"),
    ("b", "the next time that a line runs"),
    ("Tab  ↑ ↓", "another pane; scroll it"),
    ("z", "the pane alone, and back"),
    ("d", "dark or light"),
    ("q", "leave"),
)
_EXPLANATION = """
The line marked ▶ is where the code stands when
the event comes, or when it asks for a command.
● marks what is not as it was one position before.
"""


class HelpScreen(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "app.pop_screen", "Close")
    ]
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        Static {
            width: 58;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 1 2;
            background: $surface;
            border: round $primary;
        }
    }
    """

    def compose(self) -> ComposeResult:
        keys = [Content.assemble((f"{key:<11}", "$text-primary bold"), what) for key, what in _KEYS]
        panel = Static(Content("\n").join([*keys, Content(_EXPLANATION.rstrip())]))
        panel.border_title = "Keys"
        yield panel

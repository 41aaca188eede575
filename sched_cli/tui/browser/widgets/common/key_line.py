"""The line of keys at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.widgets import Footer
from textual.widgets._footer import FooterKey  # textual exports it nowhere else

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.widget import Widget

__all__ = ["KeyLine"]

# Whoever knows these two finds everything else, and the way out.
_ALWAYS = ("help", "quit")
_PADDING = 3


class KeyLine(Footer):
    """The keys of a screen. Where not all have room, the last of the screen's own are
    left out, and never the way to the list of all keys and the way out."""

    def __init__(self) -> None:
        super().__init__(show_command_palette=False)

    def compose(self) -> ComposeResult:
        keys = list(super().compose())
        self._fit(keys)
        yield from keys

    def on_resize(self) -> None:
        self._fit(self.children)

    def _fit(self, widgets: Iterable[Widget]) -> None:
        keys = [widget for widget in widgets if isinstance(widget, FooterKey)]
        room = self.size.width - sum(_width(key) for key in keys if key.action in _ALWAYS)
        for key in keys:
            if key.action not in _ALWAYS:
                room -= _width(key)
                key.display = room >= 0


def _width(key: FooterKey) -> int:
    return cell_len(key.key_display) + cell_len(key.description) + _PADDING

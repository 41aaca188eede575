"""The line of keys at the bottom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual.widget import Widget

from sched_cli.tui.browser.enduring import EnduringWidget
from sched_cli.tui.browser.widgets.common.painting import cells, palette_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual import events
    from textual.screen import Screen

__all__ = ["KeyLine"]

# Whoever knows these two finds everything else, and the way out.
_ALWAYS = ("help", "quit", "leave", "escape")


class _Key(NamedTuple):
    key: str
    display: str
    description: str
    action: str
    enabled: bool

    @property
    def width(self) -> int:
        return cell_len(self.display) + cell_len(self.description) + 3


class KeyLine(EnduringWidget, Widget):
    """The keys of a screen; a click is as good as the key. Where not all have room, the
    last of the screen's own are left out, and never the way to the list of all keys and
    the way out.

    One widget that paints a line: a footer of textual's is a widget for each key, makes
    all of them anew whenever the focus moves, and took 25 of the 80 ms between the last
    import and the first paint.
    """

    DEFAULT_CSS = "KeyLine { dock: bottom; height: 1; background: $surface; }"

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[_Key] | None = None

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        # While another window has the keys nothing is in focus here, and nothing changes.
        if screen is self.screen and self.app.app_focus:
            self._keys = None
            self.refresh()

    def _all(self) -> list[_Key]:
        if self._keys is None:
            found: dict[str, _Key] = {}
            for active in self.screen.active_bindings.values():
                binding = active.binding
                if binding.show and binding.action not in found:
                    found[binding.action] = _Key(
                        binding.key,
                        self.app.get_key_display(binding),
                        binding.description,
                        binding.action,
                        active.enabled,
                    )
            self._keys = list(found.values())
        return self._keys

    def _shown(self) -> Iterator[_Key]:
        room = self.size.width - sum(key.width for key in self._all() if key.action in _ALWAYS)
        for key in self._all():
            if key.action not in _ALWAYS:
                room -= key.width
            if key.action in _ALWAYS or room >= 0:
                yield key

    def render(self) -> Text:
        palette = palette_for(self)
        line = cells()
        for key in self._shown():
            dim = "" if key.enabled else "dim "
            line.append(f" {key.display} ", f"{dim}bold {palette.run}")
            line.append(f"{key.description} ", dim + palette.dim)
        return line

    def on_mouse_down(self, event: events.MouseDown) -> None:
        left = 0
        for key in self._shown():
            left += key.width
            if event.x < left:
                if key.enabled:
                    self.app.simulate_key(key.key)
                return

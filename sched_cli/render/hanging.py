"""A text behind a label, whose further lines stand below its first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render.cells import width_of

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

__all__ = ["Hanging"]

_NARROWEST = 20


class Hanging:
    """Printed by rich, at the width there is."""

    def __init__(self, label: str, text: str, *, style: str = "") -> None:
        self.label = label
        self.text = text
        self._style = style

    @classmethod
    def behind(cls, line: Text, columns: int) -> Hanging:
        """A line whose first columns are its label."""
        style = str(line.spans[-1].style) if line.spans else ""
        return cls(line.plain[:columns], line.plain[columns:], style=style)

    @property
    def plain(self) -> str:
        """All of it on one line."""
        return self.label + self.text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        indent = width_of(self.label)
        width = max(_NARROWEST, options.max_width - indent)
        lines = Text(self.text, style=self._style).wrap(console, width) or [Text()]
        for position, line in enumerate(lines):
            line.rstrip()
            label = (" " * indent, "") if position else (self.label, "dim")
            yield Text.assemble(label, line, no_wrap=True)

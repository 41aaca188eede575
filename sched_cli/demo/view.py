"""How the demo looks: a story in lines, and below it, on a terminal, who is alive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.text import Text

from sched_cli.render import console

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from sched_cli.demo.parts import Part


class View:
    """Prints the story to stdout. On a terminal the last line shows the parts
    and the seconds; elsewhere there are only lines."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._started = time.monotonic()
        self._console = console.data()
        self._live = Live(
            console=self._console,
            get_renderable=self._status,
            refresh_per_second=8,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def chapter(self, title: str) -> None:
        """A new part of the story begins."""
        self._console.print()
        self._console.print(Text(title, style="bold"))

    def command(self, line: str, process: int | None = None) -> None:
        """Something was typed."""
        suffix = f"   (process {process})" if process else ""
        self._console.print(Text.assemble(("  $ ", "dim"), line, (suffix, "dim")))

    def output(self, line: str) -> None:
        """Something came back."""
        self._console.print(Text(f"  {line}", style="green"))

    def line(self, text: Text) -> None:
        """A line of a history."""
        self._console.print(text, overflow="ellipsis", no_wrap=True)

    def blow(self, text: str) -> None:
        """Something was killed."""
        self._console.print(Text(f"  ✗ {text}", style="bold red"))

    def recovery(self, text: str) -> None:
        """Something was started again."""
        self._console.print(Text(f"  ✓ {text}", style="bold yellow"))

    def proof(self, text: str) -> None:
        """Something that holds."""
        self._console.print(Text.assemble(("  ✓ ", "bold green"), text))

    def _status(self) -> Text:
        status = Text("\n")
        for part in self._parts:
            pid = part.pid
            style = "green" if pid else "bold red"
            status.append(f"  ● {part.name} ", style=style)
            status.append(f"{pid or 'dead'}   ", style="dim" if pid else "bold red")
        status.append(f"{time.monotonic() - self._started:4.1f} s", style="dim")
        return status

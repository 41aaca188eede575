"""A line that says how far long work has come; only on a terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.live import Live
    from rich.text import Text

# Work that is done by then shows nothing.
_SILENT_S = 0.5


class Progress:
    """`replayed 120 of 1,000`, redrawn while the `with` block lasts."""

    def __init__(self, verb: str, done: Callable[[], int]) -> None:
        self._verb = verb
        self._done = done
        self._expected = 0
        self._since = time.monotonic()
        self._live: Live | None = None

    def expect(self, count: int) -> None:
        """There are this many."""
        self._expected = count

    def __rich__(self) -> Text:
        from rich.text import Text

        if time.monotonic() - self._since < _SILENT_S:
            return Text()
        return Text(f"{self._verb} {self._done():,} of {self._expected:,}", style="dim")

    def __enter__(self) -> Self:
        from sched_cli.render import console

        messages = console.messages()
        if messages.is_terminal and not console.is_quiet():
            from rich.live import Live

            self._live = Live(
                self, console=messages, transient=True, refresh_per_second=8, redirect_stdout=False
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

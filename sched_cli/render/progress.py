"""A line that says how far long work has come; only on a terminal.

It is on stderr, and gone when the work is done. Work that is done soon shows nothing,
and does not even wait for what draws the line to be imported.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from rich.live import Live
    from rich.text import Text

ThingT = TypeVar("ThingT")

SILENT_S = 0.5
"""Work that is done by then shows nothing."""


class Progress:
    """`replayed 120 of 1,000`, redrawn while the `with` block lasts."""

    def __init__(
        self, verb: str, done: Callable[[], int] | None = None, *, hidden: bool = False
    ) -> None:
        """`done` says how many; without it those are counted that go through `count`.
        `hidden`: there is no line, since what is read is printed at once."""
        self._verb = verb
        self._counted = 0
        self._done = done or (lambda: self._counted)
        self._expected = 0
        self._hidden = hidden
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()
        self._over = False
        self._live: Live | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether there is somebody to see it."""
        from sched_cli.render import console

        return not self._hidden and sys.stderr.isatty() and not console.is_quiet()

    def expect(self, count: int) -> None:
        """There are this many."""
        self._expected = count

    async def count(self, things: AsyncIterator[ThingT]) -> AsyncIterator[ThingT]:
        """The same things; each is counted."""
        async for thing in things:
            self._counted += 1
            yield thing

    def __rich__(self) -> Text:
        from rich.text import Text

        of = f" of {self._expected:,}" if self._expected else ""
        return Text(f"{self._verb} {self._done():,}{of}", style="dim")

    def __enter__(self) -> Self:
        if self.is_wanted:
            self._timer = threading.Timer(SILENT_S, self._appear)
            self._timer.daemon = True
            self._timer.start()
        return self

    def _appear(self) -> None:
        from rich.live import Live

        from sched_cli.render import console

        with self._lock:
            if not self._over:
                self._live = Live(
                    self,
                    console=console.messages(),
                    transient=True,
                    refresh_per_second=8,
                    redirect_stdout=False,
                )
                self._live.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._over = True
            if self._live is not None:
                self._live.stop()

"""What all screens have: the first line, the banner, reading in rounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer
from textual.worker import Worker

from sched_cli.tui.browser.link import Link, LinkLostError
from sched_cli.tui.browser.widgets.common.banner import Banner
from sched_cli.tui.browser.widgets.common.top_bar import TopBar

if TYPE_CHECKING:
    from textual.widget import Widget

    from sched_cli.tui.browser.app import Browser
    from sched_cli.tui.browser.screens.help import KeyHelp

__all__ = ["BrowserScreen", "problem_of"]

# Reading may use this part of the time, so that a slow engine is asked less often.
_READING_SHARE = 0.2


class BrowserScreen(Screen[None]):
    """A screen between the first line and the keys."""

    DEFAULT_CSS = "BrowserScreen { background: $background; color: $foreground; }"
    keys: ClassVar[Sequence[KeyHelp]] = ()
    """Its part of the help."""

    def __init__(self, here: str) -> None:
        """`here` is what the first line calls it."""
        super().__init__()
        self._here = here

    def compose(self) -> ComposeResult:
        yield TopBar(self._here)
        yield Banner(markup=False)
        yield from self.body()
        yield Footer(show_command_palette=False)

    def body(self) -> Iterable[Widget]:
        """What the screen is for."""
        raise NotImplementedError

    @property
    def browser(self) -> Browser:
        return cast("Browser", self.app)

    @property
    def link(self) -> Link:
        return self.browser.link

    def on_screen_resume(self) -> None:
        self.tell_connection()

    def tell_connection(self) -> None:
        """Show how the connection is."""
        bar = self.query_one(TopBar)
        bar.connected, bar.engine = self.link.connected, self.browser.engine
        self.query_one(Banner).show(self.browser.problem)

    # -- reading -----------------------------------------------------------------------

    def in_rounds(self, read: Callable[[], Awaitable[None]], every_s: float) -> Worker[None]:
        """Call `read` again and again while the screen is there and in sight, and
        the engine answers. What it raises of the SDK is shown, once."""
        return self.run_worker(self._rounds(read, every_s), exit_on_error=False)

    async def _rounds(self, read: Callable[[], Awaitable[None]], every_s: float) -> None:
        told = ""
        while True:
            await self.link.wait_connected()
            begun = time.monotonic()
            if self.is_current:
                problem = await self.attempt(read)
                if problem and problem != told:
                    self.notify(problem, severity="error")
                told = problem
            took = time.monotonic() - begun
            await asyncio.sleep(max(every_s - took, took / _READING_SHARE, 0.05))

    def read_now(self, read: Callable[[], Awaitable[None]]) -> None:
        """Call `read` once, now; what goes wrong is shown."""

        async def main() -> None:
            if problem := await self.attempt(read):
                self.notify(problem, severity="error")

        self.run_worker(main(), exit_on_error=False)

    async def attempt(self, read: Callable[[], Awaitable[None]]) -> str:
        """Call `read`; returns what went wrong, if something did."""
        try:
            await read()
        except LinkLostError:
            return ""  # the banner says so
        except Exception as error:
            return problem_of(error)
        return ""


def problem_of(error: Exception) -> str:
    """What to tell people of an error; of one that is a bug, that it is."""
    from sched_cli.errors import explain

    if isinstance(error, LinkLostError):
        return str(error)
    explained = explain(error)
    if explained is not None:
        return str(explained)
    return f"sched itself failed: {type(error).__name__}: {error}. Please report it."

"""What all screens have: the first line, the banner, reading in rounds."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.screen import Screen
from textual.worker import Worker

from sched_cli.tui.browser.enduring import Enduring, begin_work
from sched_cli.tui.browser.link import Link, LinkLostError
from sched_cli.tui.browser.widgets.common.banner import Banner
from sched_cli.tui.browser.widgets.common.key_line import KeyLine
from sched_cli.tui.browser.widgets.common.top_bar import TopBar

if TYPE_CHECKING:
    from textual.widget import Widget

    from sched_cli.tui.browser.app import Browser
    from sched_cli.tui.browser.screens.help import KeyHelp

__all__ = ["BrowserScreen"]

# Reading may use this part of the time, so that a slow engine is asked less often.
_READING_SHARE = 0.2
_LONGEST_PAUSE_S = 2.0


class BrowserScreen(Enduring, Screen[None]):
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
        yield KeyLine()

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

    def _compositor_refresh(self) -> None:
        # What is painted while the app starts, which is one batch, is sent to nobody, and
        # painted again behind it: a tenth of the time from the last import to the paint.
        if self.browser.begun or not self.app._batch_count:
            super()._compositor_refresh()

    # -- reading -----------------------------------------------------------------------

    def in_rounds(self, read: Callable[[], Awaitable[None]], every_s: float) -> Worker[None]:
        """Call `read` again and again while the screen is there and in sight, and
        the engine answers. What it raises is told, once."""
        return begin_work(self, partial(self._rounds, read, every_s))

    async def _rounds(self, read: Callable[[], Awaitable[None]], every_s: float) -> None:
        told = ""
        while True:
            await self.link.wait_connected()
            begun = time.monotonic()
            if self.is_current:
                try:
                    await self.reading(read)
                    told = ""
                except Exception as error:
                    if str(error) != told:
                        self.browser.tell(error)
                    told = str(error)
            took = time.monotonic() - begun
            pause = min(took / _READING_SHARE, _LONGEST_PAUSE_S)
            await asyncio.sleep(max(every_s - took, pause, 0.05))

    def read_now(self, read: Callable[[], Awaitable[None]], group: str = "now") -> None:
        """Call `read` once, now, instead of what this group still reads."""
        begin_work(self, partial(self.reading, read), group=group, exclusive=True)

    async def reading(self, read: Callable[[], Awaitable[None]]) -> None:
        """Call `read`. That no engine answers is no error here: the banner says so."""
        with contextlib.suppress(LinkLostError):
            await read()

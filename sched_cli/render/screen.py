"""A picture that takes the whole terminal and is drawn again and again.

It is drawn on the terminal's second screen, so that what was there before comes
back at the end; below it then stands the last picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from sched_cli.render import console
from sched_cli.render.times import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.console import RenderableType
    from rich.text import Text

__all__ = ["Screen"]

# The line above the picture, and an empty one.
_HEAD_LINES = 2


class Screen:
    """Use as a context manager."""

    def __init__(
        self, draw: Callable[[Any, int], Iterable[RenderableType]], interval: timedelta
    ) -> None:
        """`draw` makes the lines of what was seen, for so many columns."""
        self._draw = draw
        self._every = duration(interval)
        self._console = console.data()
        self._seen: tuple[Any, datetime] | None = None
        self._problem = ""
        self._resized = asyncio.Event()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if self._seen is not None:
            for part in self._draw(self._seen[0], self._console.width):
                self._console.print(part)
            if self._problem:
                self._console.print(self._head())

    def show(self, seen: Any) -> None:
        """Draw this instead of what was drawn last."""
        first = self._seen is None
        self._seen, self._problem = (seen, datetime.now(UTC)), ""
        if first:  # not before there is something: a first look may fail
            self._screen = self._stack.enter_context(self._console.screen())
        self._paint()

    def lost(self, problem: str) -> None:
        """Leave the picture, and say that it is not of now."""
        self._problem = problem.split(". ", maxsplit=1)[0].rstrip(".")
        self._paint()

    async def pause(self, seconds: float) -> None:
        """Wait; a terminal of another size is drawn on at once."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGWINCH, self._resized.set)
        deadline = loop.time() + seconds
        while (left := deadline - loop.time()) > 0:
            self._resized.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._resized.wait()
                self._paint()

    def _paint(self) -> None:
        from rich.console import Group
        from rich.text import Text

        assert self._seen is not None
        width, height = self._console.size
        options = self._console.options.update(width=width)
        parts = Group(*self._draw(self._seen[0], width))
        lines = self._console.render_lines(parts, options, pad=False)
        room = max(1, height - _HEAD_LINES)
        rest: list[Text] = []
        if len(lines) > room:
            left_out = len(lines) - room + 1
            rest = [Text(f"… {left_out} more {'line' if left_out == 1 else 'lines'}", style="dim")]
            lines = lines[: room - 1]
        self._screen.update(self._head(), Text(), _Lines(lines), *rest)

    def _head(self) -> Text:
        from rich.text import Text

        assert self._seen is not None
        at = f"{self._seen[1].astimezone():%H:%M:%S}"
        if self._problem:
            return Text(
                f"{self._problem}. So it was at {at}; looking on.",
                style="bold yellow",
                no_wrap=True,
                overflow="ellipsis",
            )
        return Text(f"{at}, every {self._every}. Ctrl-C ends.", style="dim", no_wrap=True)


class _Lines:
    """Lines that were rendered before."""

    def __init__(self, lines: list[list[Any]]) -> None:
        self._lines = lines

    def __rich_console__(self, _console: object, _options: object) -> Iterable[Any]:
        from rich.segment import Segment

        for line in self._lines:
            yield from line
            yield Segment.line()

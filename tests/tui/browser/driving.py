"""The browser without a terminal: keys go in, pictures come out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from textual.widgets import Input

from sched_cli.tui.browser.app import Browser
from tests.tui.browser.recording import RecordedClient, recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    from textual.pilot import Pilot

PICTURES = Path(__file__).resolve().parents[3] / "docs" / "pictures"
UPDATE = os.environ.get("SCHED_UPDATE_PICTURES") == "1"
_DEADLINE_S = 30.0
_SETTLED_S = 1.2

_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)


def _stay(_: Input) -> None:
    """In place of blinking."""


@contextlib.contextmanager
def same_everywhere() -> Iterator[None]:
    """Local time is UTC, colours are there, and the cursor does not blink."""
    try:
        with (
            mock.patch.dict(os.environ, {"TZ": "UTC"}),
            mock.patch.object(Input, "_toggle_cursor", _stay),
        ):
            os.environ.pop("NO_COLOR", None)
            time.tzset()
            yield
    finally:
        time.tzset()


async def until(condition: Callable[[], object], what: str, every_s: float = 0.02) -> None:
    """Wait for a condition; fails the test when it does not come."""
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {_DEADLINE_S} s"
        await asyncio.sleep(every_s)


@contextlib.asynccontextmanager
async def browsing(
    connect: Callable[[], Awaitable[Any]],
    size: tuple[int, int] = (80, 24),
    *,
    failures: Sequence[str] = (),
    **options: Any,
) -> AsyncIterator[Pilot[None]]:
    """A browser that runs, connected or about to be. Its own errors are told and do
    not end it: those in `failures` must have come, and no others."""
    app = Browser("localhost:50051", connect=connect, **options)
    app.animation_level = "none"
    async with app.run_test(size=size, notifications=True) as pilot:
        yield pilot
        # As when somebody leaves; from here on nothing is told.
        await pilot.exit(None)
    unexpected = [error for error in app.failures.all if str(error) not in failures]
    if unexpected:
        raise unexpected[0]
    assert {str(error) for error in app.failures.all} == set(failures)


@contextlib.asynccontextmanager
async def browsing_recorded(
    size: tuple[int, int] = (80, 24), *, client: RecordedClient | None = None, **options: Any
) -> AsyncIterator[Pilot[None]]:
    """A browser of what is recorded, at the time of the recording."""
    source = client or recorded()

    async def connect() -> Any:
        return source

    async with browsing(connect, size, **options) as pilot:
        wanted = "run " if source.runs else "No workflows yet"
        await until(lambda: "listed" in text_of(pilot) and wanted in text_of(pilot), "reading")
        yield pilot


def text_of(pilot: Pilot[None]) -> str:
    """What stands on the screen, without colours."""
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines)


async def shows(pilot: Pilot[None], *texts: str) -> None:
    """Wait until all of these stand on the screen."""
    for text in texts:
        try:
            await until(lambda text=text: text in text_of(pilot), f"{text!r} on the screen")
        except AssertionError as error:
            raise AssertionError(f"{error}:\n{text_of(pilot)}") from None


def picture_of(pilot: Pilot[None]) -> str:
    """The screen as SVG, in whatever monospaced font the reader has."""
    return _FONT_FACE.sub("", pilot.app.export_screenshot(title="sched tui")).strip()


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the screen has not changed for a while."""
    since, before = time.monotonic(), ""
    deadline = since + _DEADLINE_S
    while time.monotonic() < since + _SETTLED_S:
        assert time.monotonic() < deadline, f"the screen does not come to rest:\n{before}"
        now = picture_of(pilot)
        if now != before:
            since, before = time.monotonic(), now
        await asyncio.sleep(0.1)


async def assert_picture(pilot: Pilot[None], name: str) -> None:
    """The screen comes to look as in docs/pictures; SCHED_UPDATE_PICTURES=1 writes it."""
    path = PICTURES / f"{name}.svg"
    if UPDATE:
        await settled(pilot)
        path.parent.mkdir(exist_ok=True)
        path.write_text(picture_of(pilot) + "\n", encoding="utf-8")
        return
    wanted = path.read_text(encoding="utf-8").strip()
    try:
        # Drawing takes longer than looking for what is there.
        await until(lambda: picture_of(pilot) == wanted, f"the picture {name}", every_s=0.1)
    except AssertionError:
        raise AssertionError(
            f"the screen is not as in {path}. If that is right, look at the new picture: "
            f"SCHED_UPDATE_PICTURES=1 pytest tests/tui/browser\n{text_of(pilot)}"
        ) from None

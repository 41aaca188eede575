"""The step view, driven by the keys that people press."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator

import pytest
from textual.pilot import Pilot

from sched_cli.step_moves import LocalJourney
from sched_cli.tui.step import StepApp
from tests.tui import pictures, shop
from tests.tui.conftest import Open
from tests.tui.pictures import LARGE, PICTURES, SMALL, Picture, draw, text_of

DIVERGES = (shop.SHIPPING, pictures.PAUSE)
_SETTLED = 20


class Seen:
    """The view on a screen, and what is on it."""

    def __init__(self, app: StepApp, pilot: Pilot[None]) -> None:
        self.app = app
        self._pilot = pilot

    async def press(self, *keys: str) -> str:
        """The text of the screen after these keys."""
        await self._pilot.press(*keys)
        return await self.text()

    async def text(self) -> str:
        """Once it does not change any more: a message takes some turns to appear."""
        before = ""
        for _ in range(_SETTLED):
            await self._pilot.pause()
            now = "\n".join(text_of(self.app.export_screenshot()))
            if now == before:
                break
            before = now
        return before


@contextlib.asynccontextmanager
async def view(
    open_stepper: Open, edit: tuple[str, str] = ("", ""), size: tuple[int, int] = SMALL
) -> AsyncIterator[Seen]:
    app = StepApp(LocalJourney(open_stepper(*edit)), shop.WORKFLOW_ID, shop.WORKFLOW_TYPE)
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Seen(app, pilot)


def current_line(text: str) -> str:
    """What stands at the mark in the source, which is the first one."""
    found = re.search(r"^▶ +\d+  +(.*?) *[│…]", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


async def test_it_opens_at_the_beginning(open_stepper: Open) -> None:
    async with view(open_stepper) as seen:
        text = await seen.text()
    assert "1 of 15" in text
    assert "event 1 WorkflowStarted: the function is about to begin" in text
    assert current_line(text).startswith("async def ship_order(")
    assert "● order  Order(number='A-1'" in text
    assert '"workflow_id": "order-1"' in text
    assert re.search(r"3 activity charge app.py:\d+\n.*4 timer 86400 s", text)


async def test_stepping(open_stepper: Open) -> None:
    async with view(open_stepper) as seen:
        for keys, position in (
            (("left",), 1),
            (("right", "n"), 3),
            (("p",), 2),
            (("end",), 15),
            (("right", "left", "left"), 13),
            (("home", "right"), 2),
        ):
            assert f"\n {position} of 15 " in await seen.press(*keys)


async def test_what_a_position_shows(open_stepper: Open) -> None:
    async with view(open_stepper) as seen:
        text = await seen.press("g", "7", "enter")
        assert "event 7 SignalReceived: about to reach the code" in text
        assert current_line(text).startswith("approval = await ctx.wait_for_signal")
        assert "● state     'waiting for app…" in text
        assert "was 'charging'" in text
        assert "Coroutines (2)" in text
        assert "waits for signal approve, …" in text
        assert "waits for a timer, due in …" in text
        assert text.count("activity pack") == 3
        alone = await seen.press("tab", "z")
        assert '"note": "gift wrapping, please"' in alone
        assert "Locals" not in alone
        assert await seen.press("z", "shift+tab") == text


async def test_what_is_asked_for_may_not_be_there(open_stepper: Open) -> None:
    async with view(open_stepper) as seen:
        text = await seen.press("g", "9", "9", "enter")
        assert "There is no event 99" in text
        assert "1 of 15" in text
        assert "2 of 15" in await seen.press("g", "9", "escape", "right")
        assert "'x' is not the number" in await seen.press("g", "x", "enter")


async def test_failures(open_stepper: Open) -> None:
    async with view(open_stepper) as seen:
        text = await seen.press("f")
        assert "ActivityFailed" in text
        assert current_line(text).startswith("weights = await asyncio.gather")
        assert "the vase is broken" in await seen.press("tab", "down", "down", "down")
        assert "Nothing fails behind this." in await seen.press("f")


async def test_a_line(open_stepper: Open) -> None:
    number = str(shop.SOURCE.splitlines().index(shop.SHIPPING.rstrip()) + 1)
    async with view(open_stepper) as seen:
        text = await seen.press("b", *number, "enter")
        assert "this line is about to run" in text
        assert current_line(text) == 'state = "shipping"'
        assert "● weight       0.8" in text
        assert "does not run any more" in await seen.press("b", *number, "enter")
        assert "There is no file no.py" in await seen.press("b", *"no.py:3", "enter")


async def test_a_divergence(open_stepper: Open) -> None:
    async with view(open_stepper, DIVERGES) as seen:
        text = await seen.press("end")
    assert "event 18 ActivityScheduled: the code does something else" in text
    assert current_line(text) == "await ctx.sleep(60)"
    assert "history says activity ship" in text
    assert "code does    timer 60 s" in text
    assert re.search(r"^h +\d+ +parcel = await", text, re.MULTILINE)
    assert re.search(r" - timer 60 s", text)


async def test_help_themes_and_the_end(open_stepper: Open) -> None:
    async with view(open_stepper) as seen:
        text = await seen.press("question_mark")
        for key in ("→  n", "←  p", "Home  End", "g ", "f ", "b ", "z ", "d ", "q "):
            assert key in text
        assert "Home  End" not in await seen.press("escape")
        dark = seen.app.current_theme.dark
        await seen.press("d")
        assert seen.app.current_theme.dark is not dark
        await seen.press("q")
        assert not seen.app.is_running


@pytest.mark.parametrize("size", [LARGE, (40, 12)], ids=str)
async def test_it_fits(open_stepper: Open, size: tuple[int, int]) -> None:
    async with view(open_stepper, size=size) as seen:
        for key in ("f", "end"):
            lines = (await seen.press(key)).splitlines()
            assert len(lines) == size[1]
            assert max(map(len, lines)) <= size[0]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
async def test_the_pictures_in_the_docs_are_what_is_seen(
    open_stepper: Open, picture: Picture
) -> None:
    """Draw them anew with `python -m tests.tui.pictures`, and look at them."""
    drawn = await draw(open_stepper(*(DIVERGES if picture.edited else ())), *picture[1:3])
    stored = (pictures.FOLDER / f"{picture.name}.svg").read_text(encoding="utf-8")
    assert text_of(drawn) == text_of(stored)
    assert drawn + "\n" == stored

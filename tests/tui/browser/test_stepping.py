"""The step view in the browser, over code that a process of its own runs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sched_cli.tui.browser.screens.workflow import WorkflowScreen
from sched_cli.tui.browser.widgets.workflow.event_list import EventList
from sched_sdk._client.conversions import event_from_bytes
from tests.tui import shop
from tests.tui.browser.driving import assert_picture, browsing_recorded, text_of, until
from tests.tui.browser.recording import recorded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from textual.pilot import Pilot

NARROW, WIDE = (80, 24), (160, 50)


@pytest.fixture
def app() -> Iterator[Path]:
    """The code of the shop, in the current folder."""
    with shop.somewhere() as folder:
        path = folder / "app.py"
        path.write_text(shop.SOURCE, encoding="utf-8")
        yield path


@contextlib.asynccontextmanager
async def at_event(number: int, size: tuple[int, int] = NARROW) -> AsyncIterator[Pilot[None]]:
    """A browser that shows that event of the shop's history, about to step through."""
    history = shop.record(shop.define(Path.cwd() / "recorded")).history
    client = recorded()
    client._events = [event_from_bytes(event.SerializeToString()) for event in history]
    async with browsing_recorded(size, client=client) as pilot:
        await pilot.press("enter", "right")
        await until(lambda: "SignalReceived" in text_of(pilot), "the history")
        await pilot.press("z", *["down"] * (number - 1))
        pilot.app.clear_notifications()
        yield pilot


def change(app: Path, source: str | None) -> None:
    if source is None:
        app.unlink()
    else:
        app.write_text(source, encoding="utf-8")


async def shows(pilot: Pilot[None], *texts: str) -> None:
    for text in texts:
        await until(lambda text=text: text in text_of(pilot), f"{text!r} in {text_of(pilot)}")


async def is_back(pilot: Pilot[None], number: int) -> None:
    """The browser is in front, with its cursor on that event."""
    await until(lambda: isinstance(pilot.app.screen, WorkflowScreen), "the browser in front")
    event = pilot.app.screen.query_one(EventList).event
    assert event is not None
    assert event.event_id == number
    await shows(pilot, "▸ order-A-1042")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_it_is_the_step_view_and_leaves_the_browser_as_it_was(
    app: Path, size: tuple[int, int]
) -> None:
    async with at_event(7, size) as pilot:
        await pilot.press("p")
        await shows(pilot, "event 7 SignalReceived")
        await assert_picture(pilot, f"tui-step-{size[0]}x{size[1]}")
        await pilot.press("left", "left", "right", "f")
        await shows(pilot, "ActivityFailed")
        await pilot.press("f")
        await shows(pilot, "Nothing fails behind this.")
        await pilot.press("escape")
        await is_back(pilot, 7)


async def test_where_the_code_parts_from_the_history(app: Path) -> None:
    change(app, shop.SOURCE.replace(shop.SHIPPING, "    await ctx.sleep(60)\n"))
    async with at_event(1) as pilot:
        await pilot.press("p")
        await shows(pilot, "event 1 WorkflowStarted")
        await pilot.press("end")
        await shows(pilot, "event 18 ActivityScheduled", "code does    timer 60 s")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, ("There is no app in", "--app")),
        ("import sched_sdk\nimport no_such_thing\n", ("app.py:2", "no_such_thing")),
        (
            shop.SOURCE.replace('"ShipOrder"', '"Parcel"'),
            ("has no workflow named 'ShipOrder'", "it has Parcel"),
        ),
        (
            shop.SOURCE.replace("    hours = 24", "    import os; print('bye'); os._exit(3)"),
            ("ended with exit code 3",),
        ),
    ],
    ids=["no app", "does not import", "another app", "ends its process"],
)
async def test_what_cannot_be_stepped_through_says_why(
    app: Path, source: str | None, said: tuple[str, ...]
) -> None:
    change(app, source)
    async with at_event(1) as pilot:
        await pilot.press("p")
        await shows(pilot, *said)
        await is_back(pilot, 1)

"""Every screen, narrow and wide, dark and light, as docs/pictures shows it."""

from __future__ import annotations

import pytest

from tests.tui.browser.driving import assert_picture, browsing_recorded

NARROW, WIDE = (80, 24), (160, 50)
OPEN = ("enter",)
"""The newest run is the one that is recorded in full."""


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize(("size", "light"), [(NARROW, False), (NARROW, True), (WIDE, False)])
async def test_workflows(size: tuple[int, int], light: bool) -> None:
    async with browsing_recorded(size, light=light) as pilot:
        await pilot.press("down", "space", "down", "space", "up")
        shade = "light-" if light else ""
        await assert_picture(pilot, f"tui-workflows-{shade}{name_of(size)}")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=name_of)
@pytest.mark.parametrize(
    ("tab", "steps", "light"),
    [("timeline", 0, False), ("events", 1, False), ("pending", 3, True)],
)
async def test_one_workflow(size: tuple[int, int], tab: str, steps: int, light: bool) -> None:
    async with browsing_recorded(size, light=light) as pilot:
        await pilot.press(*OPEN, *["right"] * steps)
        await assert_picture(pilot, f"tui-{tab}-{name_of(size)}")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=name_of)
async def test_cluster(size: tuple[int, int]) -> None:
    async with browsing_recorded(size) as pilot:
        await pilot.press("2")
        await assert_picture(pilot, f"tui-cluster-{name_of(size)}")


async def test_what_destroys_is_asked_first() -> None:
    async with browsing_recorded(NARROW) as pilot:
        await pilot.press("space", "space", "x")
        await assert_picture(pilot, "tui-terminate-80x24")


async def test_keys() -> None:
    async with browsing_recorded(NARROW) as pilot:
        await pilot.press("question_mark")
        await assert_picture(pilot, "tui-keys-80x24")

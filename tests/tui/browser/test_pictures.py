"""The screens, narrow and wide, dark and light: as docs/pictures shows them, and with
nothing on them that cannot be read."""

from __future__ import annotations

import pytest

from tests.tui.browser.driving import UPDATE, assert_picture
from tests.tui.browser.legibility import cut_lines, faint_texts
from tests.tui.browser.scenes import NARROW, PLACES, WIDE, at, picture_name, visit

DARK, LIGHT = False, True
IN_DOCS = {
    (NARROW, DARK): frozenset(
        {
            "workflows",
            "filter",
            "terminate",
            "palette",
            "keys",
            "timeline",
            "events",
            "stack",
            "answer",
            "reset",
            "runs",
            "refused",
            "cluster",
            "away",
        }
    ),
    (NARROW, LIGHT): frozenset(
        {"workflows", "timeline", "values", "pending", "signal", "workflows-new"}
    ),
    (WIDE, DARK): frozenset({"workflows", "timeline", "events", "cluster"}),
    (WIDE, LIGHT): frozenset({"workflows", "timeline"}),
}
"""The main screens in all four, every other at least once."""
EVERYTHING = (NARROW, LIGHT) if UPDATE else None
"""Where most is cut, and colours are hardest to read: every scene is looked at here when
the pictures are drawn anew. What steps through a workflow has its own tests."""


def _parameters() -> list[tuple[str, tuple[int, int], bool]]:
    return [
        (name, size, light)
        for size, light in IN_DOCS
        for name, place in PLACES.items()
        if not place.source
        if (size, light) == EVERYTHING
        or IN_DOCS[size, light] & {scene.name for scene in place.scenes}
    ]


@pytest.mark.parametrize(("name", "size", "light"), _parameters())
async def test_the_screens(name: str, size: tuple[int, int], light: bool) -> None:
    place, pinned = PLACES[name], IN_DOCS[size, light]
    async with at(place, size, light=light) as pilot:
        for scene in place.scenes:
            if scene.name not in pinned and (size, light) != EVERYTHING:
                continue
            await visit(pilot, place, scene)
            if scene.name in pinned:
                await assert_picture(pilot, picture_name(scene, size, light=light))
            assert not faint_texts(pilot), scene.name
            assert not list(cut_lines(pilot)), scene.name

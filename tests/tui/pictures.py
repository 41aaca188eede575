"""The pictures in the docs: `python -m tests.tui.pictures` draws them anew."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import NamedTuple

from sched_cli.step_moves import LocalJourney
from sched_cli.tui.step import StepApp
from sched_sdk._stepping import Stepper
from tests.tui import shop

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
SMALL, LARGE = (80, 24), (160, 50)
PAUSE = "    await ctx.sleep(60)\n"
_CELL = 12.2
_TEXT = re.compile(r'<text class="[^"]*" x="([\d.]+)" y="[\d.]+"[^>]*-line-(\d+)\)">([^<]*)</text>')


class Picture(NamedTuple):
    name: str
    size: tuple[int, int]
    keys: Sequence[str]
    edited: str | None = None


PICTURES = (
    Picture("step", SMALL, ("g", "1", "3", "enter")),
    Picture(
        "step-divergence",
        (120, 30),
        ("f", "f", "d"),
        shop.SOURCE.replace(shop.SHIPPING, PAUSE),
    ),
)


async def draw(stepper: Stepper, size: tuple[int, int], keys: Sequence[str]) -> str:
    """The screen after these keys, as SVG."""
    app = StepApp(LocalJourney(stepper), shop.WORKFLOW_ID, shop.WORKFLOW_TYPE)
    async with app.run_test(size=size) as pilot:
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title="sched replay order-1 --step")


def text_of(svg: str) -> list[str]:
    """The lines of a picture."""
    lines: dict[int, dict[int, str]] = {}
    for x, line, text in _TEXT.findall(svg):
        lines.setdefault(int(line), {})[round(float(x) / _CELL)] = unescape(text)
    found = []
    for _, parts in sorted(lines.items()):
        shown = ""
        for column, text in sorted(parts.items()):
            shown = shown.ljust(column) + text.replace("\xa0", " ")
        found.append(shown.rstrip())
    return found


def draw_picture(picture: Picture) -> str:
    with shop.somewhere() as folder:
        stepper = shop.stepper(folder, picture.edited)
        try:
            return asyncio.run(draw(stepper, picture.size, picture.keys))
        finally:
            stepper.close()


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for picture in PICTURES:
        path = FOLDER / f"{picture.name}.svg"
        path.write_text(draw_picture(picture) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()

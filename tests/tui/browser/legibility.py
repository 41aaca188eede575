"""Whether what stands on a screen can be read: colours, and lines that are cut."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.screen import ModalScreen

from sched_cli.tui.browser.widgets.common.line_list import LineList

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.color import Color
    from textual.pilot import Pilot

LEAST_CONTRAST = 4.5
_DRAWN = frozenset({"So", "Sm", "Zs"})
"""Symbols, which say the same as a word beside them, lines of boxes, and blanks."""
_DOTS = frozenset("·…")


def luminance(rgb: tuple[int, int, int]) -> float:
    """As WCAG computes it."""
    parts = [part / 255 for part in rgb]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """From 1, the same, to 21, black on white."""
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def faint_texts(pilot: Pilot[None]) -> list[str]:
    """What has too little contrast to be read. What a dialog covers is meant to be dim."""
    front = _front(pilot)
    found = []
    for y, strip in enumerate(pilot.app.screen._compositor.render_strips()):
        x = 0
        for text, style, _ in strip:
            here = Region(x, y, len(text), 1)
            x += len(text)
            words = "".join(char for char in text if _is_text(char)).strip()
            if not words or style is None or not front.overlaps(here):
                continue
            if style.color is None or style.bgcolor is None:
                continue
            ratio = contrast(_rgb(style.color), _rgb(style.bgcolor))
            if ratio < LEAST_CONTRAST:
                found.append(f"{text.strip()!r}: {ratio:.1f} ({style})")
    return found


def cut_lines(pilot: Pilot[None]) -> Iterator[str]:
    """Lines of tables that are longer than the table, so that their ends are not seen."""
    for lines in pilot.app.screen.query(LineList):
        width = lines.scrollable_content_region.width
        if not lines.display or width <= 0:
            continue
        top = lines.scroll_offset.y
        seen = range(top, min(top + lines.size.height, lines.line_count()))
        texts = [lines.titles(width), *(lines.line(index, width) for index in seen)]
        yield from (text.plain for text in texts if text.cell_len > width)


def _front(pilot: Pilot[None]) -> Region:
    screen = pilot.app.screen
    if not isinstance(screen, ModalScreen):
        return screen.region
    return Region.from_union([child.region for child in screen.children if child.display])


def _is_text(char: str) -> bool:
    return unicodedata.category(char) not in _DRAWN and char not in _DOTS


def _rgb(colour: Color) -> tuple[int, int, int]:
    triplet = colour.get_truecolor()
    return triplet.red, triplet.green, triplet.blue

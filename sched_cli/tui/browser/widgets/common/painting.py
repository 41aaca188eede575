"""Lines made of columns."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, cast

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.strip import Strip

from sched_cli.tui.palette import Palette, palette_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from textual.widget import Widget

    from sched_cli.tui.browser.app import Browser

__all__ = [
    "browser_of",
    "cells",
    "fit",
    "fit_middle",
    "joined",
    "now_of",
    "palette_for",
    "recoloured",
    "spark",
    "strip_of",
]

_SHORTEST_CUT = 8


def browser_of(widget: Widget) -> Browser:
    """The app, as what it is."""
    return cast("Browser", widget.app)


def palette_for(widget: Widget) -> Palette:
    """The colours of the theme in use."""
    return palette_of(widget.app.current_theme.dark)


def now_of(widget: Widget) -> datetime:
    """The time that everything on the screen is told for."""
    return browser_of(widget).now()


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Exactly `width` cells: padded, or cut with an ellipsis."""
    text = text.replace("\n", "⏎")
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, max(width - 1, 0)) + ("…" if width > 0 else "")
    padding = " " * (width - length)
    return padding + text if right else text + padding


def fit_middle(text: str, width: int) -> str:
    """At most `width` cells, cut in the middle: the end of an id tells as much as its
    beginning."""
    if cell_len(text) <= width or width < _SHORTEST_CUT:
        return fit(text, width).rstrip() if cell_len(text) > width else text
    end = (width - 1) // 2
    return set_cell_size(text, width - 1 - end) + "…" + text[-end:]


def cells(*parts: tuple[str, str]) -> Text:
    """A line of styled parts."""
    return Text.assemble(*parts, no_wrap=True, end="")


def joined(facts: Sequence[str], width: int) -> str:
    """As many of the facts as have room whole, the first ones first; of the very first
    at least a part."""
    line = fit(facts[0], width).rstrip() if facts else ""
    for fact in facts[1:]:
        longer = f"{line} · {fact}"
        if cell_len(longer) <= width:
            line = longer
    return line


@lru_cache(maxsize=1024)
def _style(ground: Style, colours: str) -> Style:
    return ground + Style.parse(colours)


def strip_of(text: Text, width: int, ground: Style) -> Strip:
    """A line as `width` cells on a ground. Lines are painted by the thousand, so what
    `cells` made, parts one behind the other, goes around rich's general rendering."""
    plain, end = text.plain, 0
    between = _style(ground, str(text.style))
    segments = []
    for start, stop, colours in text.spans:
        if start > end:
            segments.append(Segment(plain[end:start], between))
        segments.append(Segment(plain[max(start, end) : stop], _style(between, str(colours))))
        end = max(stop, end)
    segments.append(Segment(plain[end:], between))
    return Strip(segments, cell_len(plain)).crop_extend(0, width, between)


_ROLES = {
    "green": "good",
    "red": "bad",
    "yellow": "warn",
    "cyan": "run",
    "blue": "run",
    "dim": "dim",
}


def recoloured(text: Text, palette: Palette) -> Text:
    """Text of a command, which uses the terminal's own colours, in those of the theme."""
    plain = Text(text.plain, style=palette.text)
    for start, end, style in text.spans:
        words = [
            palette.of(_ROLES[word]) if word in _ROLES else word for word in str(style).split()
        ]
        plain.stylize(" ".join(words), start, end)
    if text.style:
        words = [palette.of(_ROLES.get(word, "text")) for word in str(text.style).split()]
        plain.stylize_before(words[-1])
    return plain


def spark(values: Sequence[float], width: int) -> str:
    """The last values as bars of a character each, the highest a full one."""
    last = list(values)[-width:]
    top = max(last, default=0.0)
    if top <= 0:
        return (_BARS[0] * len(last)).rjust(width)
    return "".join(
        _BARS[min(round(value / top * (len(_BARS) - 1)), len(_BARS) - 1)] for value in last
    ).rjust(width)


_BARS = "▁▂▃▄▅▆▇█"

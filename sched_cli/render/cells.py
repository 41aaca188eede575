"""Text by the columns it takes on a terminal, where some characters take two and
some none; and by no more than its letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["cut_end", "cut_middle", "fill", "one_line", "width_of"]

_CUT = "…"


def width_of(text: str) -> int:
    """How many columns a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def cut_middle(text: str, width: int) -> str:
    """At most `width` columns: the beginning and the end are what tells names and
    ids apart."""
    if width_of(text) <= width:
        return text
    if width < 3:
        return _first(text, width)
    front = _first(text, width // 2)
    behind = _first(reversed(text), width - 1 - width_of(front))[::-1]
    return f"{front}{_CUT}{behind}"


def cut_end(text: str, width: int) -> str:
    """At most `width` columns of its beginning."""
    if width_of(text) <= width:
        return text
    return f"{_first(text, width - 1)}{_CUT}" if width > 1 else _first(text, width)


def fill(text: str, width: int, *, right: bool = False) -> str:
    """With blanks behind it, or before it, so that it takes `width` columns."""
    blanks = " " * max(0, width - width_of(text))
    return blanks + text if right else text + blanks


def one_line(text: str) -> str:
    """Without what moves the cursor: names and ids come from anybody."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _first(letters: Iterable[str], width: int) -> str:
    kept: list[str] = []
    for letter in letters:
        width -= width_of(letter)
        if width < 0:
            break
        kept.append(letter)
    return "".join(kept)

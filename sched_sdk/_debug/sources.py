"""Lines of code around a place that a history or a frame names."""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Excerpt", "excerpt", "find_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Some lines of a file, as it is now."""

    file: str
    line: int
    first: int
    """The number of the first of `lines`."""
    lines: tuple[str, ...]


def find_source(file: str) -> Path | None:
    """The file behind the name in a call site, which is relative to the app or
    to the folder from which the app was imported; None if there is none."""
    path = Path(file)
    if path.is_absolute():
        return path if path.is_file() else None
    for root in (Path.cwd(), *map(Path, sys.path)):
        if (root / path).is_file():
            return root / path
    return None


def excerpt(call_site: str, around: int = 3, path: Path | None = None) -> Excerpt | None:
    """The lines around a call site; None if there is no such line (any more).
    `path` is the file, where it is known better than by name."""
    file, _, number = call_site.rpartition(":")
    source = path if path is not None else find_source(file)
    if source is None or not number.isdigit():
        return None
    linecache.checkcache(str(source))
    lines = linecache.getlines(str(source))
    line = int(number)
    if not 1 <= line <= len(lines):
        return None
    first = max(1, line - around)
    return Excerpt(
        file=file,
        line=line,
        first=first,
        lines=tuple(text.rstrip("\n") for text in lines[first - 1 : line + around]),
    )

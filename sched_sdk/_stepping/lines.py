"""Places in the code: which line is meant, and when it is about to run.

Python's tracing is on only while a line is looked for, and looks into functions
only that have the line.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_sdk._debug.sources import find_source

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["LineNotFoundError", "LineTracer", "Place", "find_line"]


class LineNotFoundError(Exception):
    """There is no such place; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file that has code."""

    file: Path
    line: int

    def is_in(self, code: CodeType) -> bool:
        return _same_file(code.co_filename, self.file) and any(
            line == self.line for _, _, line in code.co_lines()
        )

    def __str__(self) -> str:
        return f"{os.path.relpath(self.file)}:{self.line}"


def find_line(file: str, line: int) -> Place:
    """The first line with code at `line` or below. `file` is a path, or one as
    call sites have it. Raises LineNotFoundError."""
    path = find_source(file)
    if path is None:
        raise LineNotFoundError(f"There is no file {file}, here or where the app is.")
    try:
        compiled = compile(path.read_bytes(), str(path), "exec")
    except (SyntaxError, ValueError, OSError) as error:
        raise LineNotFoundError(f"{file} is no Python file: {error}") from None
    lines = sorted(_lines_of(compiled))
    for number in lines:
        if number >= line:
            return Place(path.resolve(), number)
    last = f"; the last one with code is {lines[-1]}" if lines else ""
    raise LineNotFoundError(f"{file} has no code at line {line} or below{last}.")


def _lines_of(code: CodeType) -> Iterator[int]:
    yield from (line for _, _, line in code.co_lines() if line)
    for constant in code.co_consts:
        if hasattr(constant, "co_lines"):
            yield from _lines_of(constant)


def _same_file(name: str, path: Path) -> bool:
    return os.path.basename(name) == path.name and Path(name).resolve() == path


class LineTracer:
    """In `trace`, calls `on_line` each time before one of the lines runs."""

    def __init__(self, places: Collection[Place], on_line: Callable[[Place], None]) -> None:
        self._places = places
        self._on_line = on_line
        self._known: dict[CodeType, dict[int, Place]] = {}

    @contextlib.contextmanager
    def trace(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> Any:
        code = frame.f_code
        known = self._known.get(code)
        if known is None:
            known = {place.line: place for place in self._places if place.is_in(code)}
            self._known[code] = known
        return self._inside if known else None

    def _inside(self, frame: FrameType, event: str, _argument: object) -> Any:
        if event == "line":
            place = self._known[frame.f_code].get(frame.f_lineno)
            if place is not None:
                self._on_line(place)
        return self._inside

"""Showing an error in someone's code in a few lines: where, the line, what.

app.py:9: SyntaxError: expected ':'
    async def hello_world(ctx, name: str)
                                         ^
"""

from __future__ import annotations

import linecache
import os
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAXIMUM_FRAMES = 3
_OWN_FOLDERS = tuple(
    str(Path(__file__).resolve().parents[1] / name) + os.sep for name in ("sched_cli", "sched_sdk")
)
_LIBRARY_FOLDERS = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


def describe_import_error(error: BaseException, module: str) -> str:
    """A few lines about an exception that importing `module` raised."""
    linecache.checkcache()
    if isinstance(error, SyntaxError) and error.filename:
        return _describe_syntax_error(error)
    if isinstance(error, ModuleNotFoundError) and error.name and _is_missing(error.name, module):
        return (
            f"There is no module {error.name!r}. Name a file, a folder or a module of this folder."
        )
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    frames = list(_frames_of_the_app(error))[-_MAXIMUM_FRAMES:]
    if not frames:
        return f"importing {module}: {what}"
    *outer, (path, line_number) = frames
    lines = [f"{_shown(path)}:{line_number}: {what}", _source_line(path, line_number)]
    lines += [
        f"  imported or called from {_shown(caller)}:{number}" for caller, number in reversed(outer)
    ]
    return "\n".join(line for line in lines if line)


def _describe_syntax_error(error: SyntaxError) -> str:
    path = str(error.filename)
    lines = [f"{_shown(path)}:{error.lineno or 0}: {type(error).__name__}: {error.msg}"]
    text = (error.text or "").rstrip("\n")
    if text.strip():
        indentation = len(text) - len(text.lstrip())
        lines.append("    " + text.strip())
        if error.offset and error.offset > indentation:
            lines.append("    " + " " * (error.offset - 1 - indentation) + "^")
    return "\n".join(lines)


def _is_missing(name: str, module: str) -> bool:
    """Whether the module that is not found is the one that was asked for."""
    return module == name or module.startswith(f"{name}.")


def _frames_of_the_app(error: BaseException) -> Iterator[tuple[str, int]]:
    for frame, line_number in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if not path.startswith(("<", *_OWN_FOLDERS, *_LIBRARY_FOLDERS)):
            yield path, line_number


def _source_line(path: str, line_number: int) -> str:
    line = linecache.getline(path, line_number).strip()
    return f"    {line}" if line else ""


def _shown(path: str) -> str:
    """Relative to the current folder when it is below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative

"""Where in the user's code a command comes from.

Taking a call site costs two attribute reads; the file name and the line number
are worked out only when somebody looks (a command is sent, an error is
written), because replay takes far more sites than anybody reads.
"""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from enum import Enum
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "NOWHERE",
    "CallSite",
    "caller",
    "format_site",
    "is_bottom",
    "is_user_code",
    "mark_bottom",
    "raised_at",
    "user_frame",
    "user_frames",
]

# A code object and the offset of an instruction in it.
CallSite: TypeAlias = tuple[CodeType, int] | None

NOWHERE: CallSite = None

_SDK = str(Path(__file__).resolve().parent.parent) + "/"
_STANDARD_LIBRARY = (
    str(Path(asyncio.__file__).resolve().parent.parent) + "/",
    sysconfig.get_path("stdlib") + "/",
)
_MAXIMUM_DEPTH = 64


class _Kind(Enum):
    USER = "user"
    BOTTOM = "bottom"
    """Below it there is no workflow code, only what runs it."""
    OTHER = "other"


# By the code object's address; the code object is kept, so the address stays its own.
_files: dict[int, tuple[CodeType, str]] = {}
_kinds: dict[int, tuple[CodeType, _Kind]] = {}


def caller(depth: int = 2) -> CallSite:
    """The call site of the function that called the caller of this one."""
    frame = sys._getframe(depth)
    return frame.f_code, frame.f_lasti


def user_frame() -> CallSite:
    """The innermost call site outside asyncio, the standard library and the
    SDK; NOWHERE when a task runs library code only."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(_MAXIMUM_DEPTH):
        if frame is None:
            break
        # Each of these reads is announced to audit hooks: once for each frame.
        code = frame.f_code
        kind = _kind_of(code)
        if kind is _Kind.USER:
            return code, frame.f_lasti
        if kind is _Kind.BOTTOM:
            break
        frame = frame.f_back
    return NOWHERE


def user_frames(depth: int = 1) -> Iterator[FrameType]:
    """The user's frames of the activation that is running, innermost first."""
    frame: FrameType | None = sys._getframe(depth)
    while frame is not None:
        kind = _kind_of(frame.f_code)
        if kind is _Kind.USER:
            yield frame
        if kind is _Kind.BOTTOM:
            break
        frame = frame.f_back


def raised_at(error: BaseException) -> CallSite:
    """The innermost line of user code that an exception came through; of a group,
    that its first one did."""
    site: CallSite = NOWHERE
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace = error.__traceback__
    while trace is not None:
        if is_user_code(trace.tb_frame.f_code):
            site = (trace.tb_frame.f_code, trace.tb_lasti)
        trace = trace.tb_next
    return site


def mark_bottom(function: Callable[..., Any]) -> None:
    """Say that `function` runs workflow code and is none itself."""
    code = function.__code__
    _kinds[id(code)] = (code, _Kind.BOTTOM)


def is_bottom(code: CodeType) -> bool:
    """Whether `mark_bottom` was told of it."""
    return _kind_of(code) is _Kind.BOTTOM


def is_user_code(code: CodeType) -> bool:
    return _kind_of(code) is _Kind.USER


def _kind_of(code: CodeType) -> _Kind:
    known = _kinds.get(id(code))
    if known is None:
        kind = _Kind.USER if _belongs_to_user(code.co_filename) else _Kind.OTHER
        known = _kinds[id(code)] = (code, kind)
    return known[1]


def _belongs_to_user(file: str) -> bool:
    if file.startswith((_SDK, "<frozen")):
        return False
    return "site-packages" in file or not file.startswith(_STANDARD_LIBRARY)


def format_site(site: CallSite) -> str:
    """`file:line`, the file relative to the app; empty for NOWHERE."""
    if site is None:
        return ""
    code, offset = site
    known = _files.get(id(code))
    if known is None:
        known = _files[id(code)] = (code, _relative(code.co_filename))
    return f"{known[1]}:{_line_number(code, offset)}"


def _line_number(code: CodeType, offset: int) -> int:
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno


def _relative(file: str) -> str:
    """Relative to the working directory or to where Python finds the app."""
    path = Path(file)
    for root in (Path.cwd(), *map(Path, sys.path)):
        if root.is_absolute() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return path.name

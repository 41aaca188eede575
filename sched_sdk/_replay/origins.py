"""Whose code something is: the app's, a library's, or what runs them.

Known from the file that a code object names. Looking a code object up again
costs one dict access.
"""

from __future__ import annotations

import asyncio
import sysconfig
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

__all__ = ["Origin", "add_app_files", "is_app_code", "origin_of"]


class Origin(Enum):
    APP = "app"
    """A file that is none of the others."""
    LIBRARY = "library"
    """An installed package."""
    STANDARD = "standard"
    """Python's own library, and what was made of a string, like the methods of
    a dataclass: it acts for whoever calls it."""
    EXEMPT = "exempt"
    """What of Python's library reads files and clocks for purposes that have
    nothing to do with what the workflow does."""
    SCHED = "sched"


_SDK = Path(__file__).resolve().parent.parent
_SCHED = tuple(f"{_SDK.parent}/{name}/" for name in ("sched_sdk", "sched_cli", "sched_server"))
_STANDARD_FOLDERS = tuple(
    {str(Path(asyncio.__file__).resolve().parent.parent), sysconfig.get_path("stdlib")}
)
_STANDARD = tuple(f"{folder}/" for folder in _STANDARD_FOLDERS)
_EXEMPT = tuple(
    f"{folder}/{name}"
    for folder in _STANDARD_FOLDERS
    for name in (
        # Imports, also those inside of functions.
        "importlib/",
        "pkgutil.py",
        "zipimport.py",
        # Logging, warnings and tracebacks, which show lines of source files.
        "logging/",
        "warnings.py",
        "traceback.py",
        "linecache.py",
        "inspect.py",
        # Debuggers.
        "bdb.py",
        "cmd.py",
        "code.py",
        "pdb.py",
        # Data that come with the system.
        "gettext.py",
        "locale.py",
        "mimetypes.py",
        "zoneinfo/",
        # Called by the garbage collector, at any time.
        "weakref.py",
    )
)

# By the code object's address; the code object is kept, so the address stays its own.
_known: dict[int, tuple[CodeType, Origin]] = {}
_app_files: list[str] = []


def origin_of(code: CodeType) -> Origin:
    known = _known.get(id(code))
    if known is None:
        known = _known[id(code)] = (code, origin_of_file(code.co_filename))
    return known[1]


def is_app_code(code: CodeType) -> bool:
    return origin_of(code) is Origin.APP


def add_app_files(path: str) -> None:
    """Say that a file, or what is below a folder (with a `/` at its end), is
    the app's, even if it is installed like a library."""
    if path not in _app_files:
        _app_files.append(path)
        _known.clear()


def origin_of_file(file: str) -> Origin:
    if file.startswith("<"):
        return Origin.EXEMPT if file.startswith("<frozen importlib") else Origin.STANDARD
    if file.startswith(_SCHED):
        return Origin.SCHED
    if file.startswith(tuple(_app_files)):
        return Origin.APP
    if "site-packages" in file or "dist-packages" in file:
        return Origin.LIBRARY
    if file.startswith(_EXEMPT):
        return Origin.EXEMPT
    return Origin.STANDARD if file.startswith(_STANDARD) else Origin.APP

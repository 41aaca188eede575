"""Which files `sched check` is asked to look at.

A file, a folder (every Python file below it but tests), or a module or package by its
dotted name, looked up from the current folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.errors import UsageError
from sched_cli.targets import (
    find_targets,
    import_root,
    may_hold_definitions,
    python_files,
    similar_files,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to check, and how Python would import it."""

    path: Path
    root: Path
    name: str


def find_sources(given: Iterable[str]) -> list[SourceFile]:
    """Every file that the arguments name, each once, in the order in which they name it.

    Raises UsageError for an argument that names none.
    """
    paths = [path for one in given for path in _paths_of(one)]
    files = []
    for path in dict.fromkeys(paths):
        root, name = import_root(path)
        files.append(SourceFile(path, root, name))
    return files


def _paths_of(given: str) -> Iterator[Path]:
    path = Path(given)
    if path.is_dir():
        yield from _paths_in(given, path.resolve())
    elif path.is_file():
        if path.suffix != ".py":
            raise UsageError(
                f"{given} is not a Python file. Name a .py file, a folder or a module."
            )
        yield path.resolve()
    elif path.suffix == ".py" or os.sep in given:
        raise UsageError(f"{given} does not exist.{similar_files(path)}")
    else:
        yield from _paths_of_module(given)


def _paths_in(given: str, folder: Path) -> Iterator[Path]:
    paths = [path for path in python_files(folder) if may_hold_definitions(path, folder)]
    if not paths:
        raise UsageError(f"There is no Python file in {given}. Name the file with your workflows.")
    yield from paths


def _paths_of_module(given: str) -> Iterator[Path]:
    (target,) = find_targets([given])
    base = target.root.joinpath(*given.split("."))
    if base.is_dir():
        yield from _paths_in(given, base)
    elif (file := base.with_name(f"{base.name}.py")).is_file():
        yield file
    else:
        raise UsageError(f"There is no module {given!r} in {target.root}.")

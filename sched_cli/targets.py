"""Which code `sched worker` and `sched dev` are asked to serve.

A target is named in one of three ways:

    app.py              a file
    reports/            a folder: every Python file in it; if it is a package,
                        every module of the package
    shop.workflows      an importable module, looked up from the current folder

Finding a target imports nothing, so that the reload supervisor can watch code
that does not even compile.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Folders that hold no code of the app: environments, caches, build products.
IGNORED_FOLDERS = frozenset(
    {"__pycache__", "build", "dist", "env", "node_modules", "site-packages", "venv"}
)


@dataclass(frozen=True, slots=True)
class Target:
    """Code to serve: its modules, and the folder they are imported from."""

    given: str
    root: Path
    """Goes to the front of the import path."""
    code: Path
    """The folder whose Python files are the app's: watched, and in its build id."""
    modules: tuple[str, ...]
    """What to import, by dotted name."""
    files: dict[str, Path]
    """The file of each module that is loaded by path, by module name."""


def find_targets(given: tuple[str, ...] | list[str]) -> list[Target]:
    """Find every target, without importing anything.

    Raises UsageError for one that does not exist.
    """
    return [_find_target(one) for one in given]


def _find_target(given: str) -> Target:
    path = Path(given)
    if path.is_dir():
        return _folder_target(given, path.resolve())
    if path.is_file():
        if path.suffix != ".py":
            raise UsageError(
                f"{given} is not a Python file. Name a .py file, a folder or a module."
            )
        return _file_target(given, path.resolve())
    if path.suffix == ".py" or os.sep in given:
        raise UsageError(f"{given} does not exist.{similar_files(path)}")
    return _module_target(given)


def _file_target(given: str, path: Path) -> Target:
    root, name = import_root(path)
    if name in sys.stdlib_module_names:
        raise UsageError(
            f"{given} has the name of a module of Python itself, which would hide one of "
            f"the two. Rename the file."
        )
    return Target(given, root, root, (name,), {name: path})


def _folder_target(given: str, folder: Path) -> Target:
    is_package = (folder / "__init__.py").is_file()
    root = import_root(folder / "__init__.py")[0] if is_package else folder
    files = {
        import_root(path)[1]: path
        for path in python_files(folder)
        if may_hold_definitions(path, folder)
        and (is_package or path.parent == folder or (path.parent / "__init__.py").is_file())
    }
    if not files:
        raise UsageError(f"There is no Python file in {root}. Name the file with your workflows.")
    return Target(given, root, root, tuple(files), files)


def may_hold_definitions(path: Path, folder: Path) -> bool:
    """Whether a file below `folder` may be the app's: tests and set-up scripts are not."""
    inside = path.relative_to(folder)
    if any(part in ("test", "tests") for part in inside.parts[:-1]):
        return False
    return not inside.stem.startswith("test_") and inside.stem not in (
        "conftest",
        "setup",
        "__main__",
    )


def _module_target(given: str) -> Target:
    top = given.partition(".")[0]
    here = str(Path.cwd())
    # Looking up a top-level name imports nothing.
    spec = PathFinder.find_spec(top, [here]) or (
        importlib.util.find_spec(top) if top.isidentifier() else None
    )
    if spec is None:
        raise UsageError(
            f"There is no file, folder or module {given!r} here.{similar_files(Path(given))}"
        )
    if spec.submodule_search_locations:
        code = Path(next(iter(spec.submodule_search_locations))).resolve()
        return Target(given, code.parent, code, (given,), {})
    if spec.origin is None or not Path(spec.origin).is_file():
        raise UsageError(
            f"{given} is a module of Python itself. Name the file with your workflows."
        )
    folder = Path(spec.origin).resolve().parent
    return Target(given, folder, folder, (given,), {})


def import_root(path: Path) -> tuple[Path, str]:
    """The folder from which this file is imported, and the module's name from there."""
    names = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def similar_files(path: Path) -> str:
    """What to suggest to someone who named a file that does not exist."""
    folder = path.parent if path.parent.is_dir() else Path()
    candidates = {file.name: file for file in sorted(folder.glob("*.py"))}
    close = difflib.get_close_matches(path.name, candidates, n=3, cutoff=0.5)
    close = close or difflib.get_close_matches(f"{path.name}.py", candidates, n=3, cutoff=0.5)
    if close:
        return f" Did you mean {' or '.join(str(candidates[name]) for name in close)}?"
    if candidates:
        names = ", ".join(list(candidates)[:5])
        return f" The Python files in {folder.resolve()} are: {names}."
    return f" There is no Python file in {folder.resolve()}; sched init NAME makes a starter."


def code_folders(root: Path) -> list[Path]:
    """`root` and the folders below it that may hold code of the app."""
    return list(walk_code_folders(root))


def walk_code_folders(root: Path) -> Iterator[Path]:
    """The same, one after the other, for those who may stop early."""
    for folder, folders, _ in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in IGNORED_FOLDERS and not name.startswith(".")
        )
        yield Path(folder)


def python_files(root: Path) -> list[Path]:
    """Every Python file of the app below `root`, in a stable order."""
    return [path for folder in code_folders(root) for path in sorted(folder.glob("*.py"))]


def is_app_source(path: Path, root: Path) -> bool:
    """Whether `path` is a Python file that `python_files(root)` lists while it exists."""
    if path.suffix != ".py" or not path.is_relative_to(root):
        return False
    folders = path.relative_to(root).parts[:-1]
    return not any(name in IGNORED_FOLDERS or name.startswith(".") for name in folders)

"""The modules of a project, parsed as names lead to them.

A module is looked up from the folder that the importing file is imported from, then
from those of the other files that are checked. What is found in neither is a library,
and nothing is known of a library but its name.
"""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING

from sched_cli.check.scopes import build_scopes
from sched_cli.check.syntax import Module, UnparsableError, parse
from sched_cli.targets import is_app_source, walk_code_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sched_cli.check.sources import SourceFile

# How many folders are searched to learn which activities a project declares.
_MAXIMUM_FOLDERS = 500


class Project:
    """All code that is known, by path."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        self._modules: dict[Path, Module] = {}
        self._by_name: dict[tuple[Path, str], Module | None] = {}
        given = list(files)
        self._roots = list(dict.fromkeys(file.root for file in given))
        self.given = [self._parse(file.path, file.root, file.name) for file in given]
        """The files that were asked for, in their order."""

    @property
    def modules(self) -> list[Module]:
        """Everything that was parsed so far."""
        return list(self._modules.values())

    def load(self, name: str, home: Module) -> Module | None:
        """The module that `import name` gives in `home`; None for one of a library.

        Raises UnparsableError.
        """
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "sched_sdk":
            return None
        for root in (home.root, *self._roots):
            if (found := self._load_from(root, name)) is not None:
                return found
        return None

    def _load_from(self, root: Path, name: str) -> Module | None:
        key = (root, name)
        if key not in self._by_name:
            self._by_name[key] = None
            base = root.joinpath(*name.split("."))
            for path in (base / "__init__.py", base.with_name(f"{base.name}.py")):
                if is_app_source(path, root) and path.is_file():
                    self._by_name[key] = self._parse(path, root, name)
                    break
        return self._by_name[key]

    def _parse(self, path: Path, root: Path, name: str) -> Module:
        if path not in self._modules:
            module = parse(path, root, name)
            try:
                build_scopes(module)
            except RecursionError as error:
                raise UnparsableError(f"{module.shown}:1: this is nested too deeply.") from error
            self._modules[path] = module
            self._by_name.setdefault((root, name), module)
        return self._modules[path]

    def neighbours(self) -> Iterator[Module]:
        """Every other module below the roots that may declare an activity: another
        worker may serve it. One that cannot be read is not asked for, so it is left out."""
        for root in self._roots:
            folders = islice(walk_code_folders(root), _MAXIMUM_FOLDERS)
            for path in (path for folder in folders for path in sorted(folder.glob("*.py"))):
                name = ".".join(path.relative_to(root).with_suffix("").parts)
                try:
                    if path not in self._modules and b"activity" in path.read_bytes():
                        yield self._parse(path, root, name)
                except (OSError, UnparsableError):
                    continue

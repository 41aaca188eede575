"""The code of an app is compiled from its source, whatever lies in `__pycache__`.

Python takes a compiled file for that of a source with the same size and the same second
of change. An editor that saves twice in a second, or a copy that keeps times, thereby
leaves a worker with code that is not what its build id was computed from.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.targets import is_app_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import CodeType, ModuleType

__all__ = ["FromSource", "compile_from_source"]


class FromSource(SourceFileLoader):
    """Reads no compiled file, and writes none."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _Finder(MetaPathFinder):
    """Finds what Python finds on its path; of that, what lies below the roots is loaded
    from its source. It stands directly before Python's own finder, so that the finders of
    others, such as pytest's, come first."""

    def __init__(self) -> None:
        self.roots: set[Path] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return None
        if not self._is_ours(spec.loader.path):
            return None
        spec.loader = FromSource(spec.loader.name, spec.loader.path)
        return spec

    def _is_ours(self, path: str) -> bool:
        return any(is_app_source(Path(path), root) for root in self.roots)


_finder = _Finder()


def compile_from_source(roots: Iterable[Path]) -> None:
    """From now on; an app may import more of itself at any time."""
    _finder.roots.update(roots)
    if _finder not in sys.meta_path:
        known: list[object] = list(sys.meta_path)
        place = known.index(PathFinder) if PathFinder in known else 0
        sys.meta_path.insert(place, _finder)

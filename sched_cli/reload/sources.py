"""Which edits matter: changes in the content of the app's Python files.

Editors touch files without changing them, save twice, and write by renaming;
formatters and version control rewrite what is the same. So a change counts only
when a file's content differs from what it was when it counted last.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sched_cli.targets import is_app_source, python_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


class Sources:
    """The app's Python files, as they were when last looked at."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self.roots = tuple(dict.fromkeys(roots))
        self._digests = {path: _digest(path) for root in self.roots for path in python_files(root)}

    def changed(self, touched: Iterable[Path]) -> list[Path]:
        """Of the files that were touched, those whose content is another now."""
        changed = []
        for path in sorted(set(touched)):
            if not any(is_app_source(path, root) for root in self.roots):
                continue
            digest = _digest(path)
            if digest != self._digests.get(path):
                self._digests[path] = digest
                changed.append(path)
        return changed

    def changed_anywhere(self) -> list[Path]:
        """The same, looking at every file."""
        present = (path for root in self.roots for path in python_files(root))
        return self.changed([*self._digests, *present])


def _digest(path: Path) -> bytes | None:
    """None for a file that is not there."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None

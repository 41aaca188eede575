"""The disk of the database: small, so that it can be filled.

A tmpfs of its own where one may be mounted. Else files may not grow any more while
the disk is "full", by a limit of the server's processes: the same errors, but
for files that are large already only.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SIZE = "400m"
_LARGEST_FILE = 16 * 1024


class Disk:
    """A folder for a server's data."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sched-chaos-disk-"))
        self.folder.chmod(0o755)
        self._limited: set[int] = set()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=755", "tmpfs", self.folder],
            capture_output=True,
            check=False,
        )
        self.mounted = made.returncode == 0

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"

    def fill(self, processes: Iterable[int]) -> None:
        """Not one byte more. `processes` are those of the server."""
        if not self.mounted:
            self._limit(processes, _LARGEST_FILE)
            return
        with self._ballast.open("wb") as file, contextlib.suppress(OSError):
            for size in (1 << 20, 1 << 12):
                with contextlib.suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)

    def free(self, processes: Iterable[int]) -> None:
        if self.mounted:
            self._ballast.unlink(missing_ok=True)
        else:
            self._limit(processes, resource.RLIM_INFINITY)

    def _limit(self, processes: Iterable[int], size: int) -> None:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
                resource.prlimit(process, resource.RLIMIT_FSIZE, (size, hard))

    def close(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "--lazy", self.folder], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

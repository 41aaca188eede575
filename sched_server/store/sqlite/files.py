"""The files of a store: the database and the lock beside it.

A lock file with an exclusive `flock` is held as long as the process lives. The
kernel lets go of it at any kind of death, so it is never stale; the process id
in it is for people only. The file itself stays, because removing a lock file
while someone else opens it would let two holders in.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sched_server.store.port import (
    StoreLockedError,
    StoreRefusedError,
    StoreUnavailableError,
    StoreVersionError,
)

__all__ = ["StoreLock", "check_database_file", "prepare_folder"]

_MAGIC = b"SQLite format 3\0"
_PID_DIGITS = 32


def prepare_folder(database: Path) -> None:
    """Create the folders above the database. Raises StoreUnavailableError."""
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"Cannot create the folder {database.parent} for the database: {_reason(error)}. "
            "Choose another path."
        ) from error


def check_database_file(database: Path) -> None:
    """Refuse what cannot be a database of ours, without touching it.

    Raises StoreUnavailableError or StoreVersionError.
    """
    if database.is_dir():
        raise StoreRefusedError(
            f"{database} is a folder; give the path of a file, for example {database / 'sched.db'}."
        )
    if not database.exists():
        return
    if not database.is_file():
        raise StoreRefusedError(f"{database} is no regular file. Choose another path.")
    try:
        with database.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreUnavailableError(
            f"Cannot read {database}: {_reason(error)}. Check its permissions."
        ) from error
    if head not in (b"", _MAGIC):
        raise StoreVersionError(
            f"{database} is not a SQLite database; it was left as it is. Choose another path."
        )
    try:
        database.open("r+b").close()
    except OSError as error:
        raise StoreUnavailableError(
            f"Cannot write {database}: {_reason(error)}. Check its permissions."
        ) from error


class StoreLock:
    """The exclusive lock of one database, `<database>.lock`."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = Path(f"{database}.lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises StoreLockedError, which names the holder, or StoreUnavailableError."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise StoreUnavailableError(
                f"Cannot create {self._path}: {_reason(error)}. The folder must be writable."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(descriptor, _PID_DIGITS, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise StoreLockedError(
                f"{self._database} is in use by another engine (process {holder or 'unknown'}). "
                "Stop that process, or choose another path."
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreUnavailableError(
                f"Cannot lock {self._path}: {_reason(error)}. Put the database on a local disk."
            ) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; nothing if it is not held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()

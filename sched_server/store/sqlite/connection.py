"""Connections and transactions."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sched_server.store.port import StoreUnavailableError
from sched_server.store.sqlite.failures import primary_code

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn

OLDEST_SQLITE = (3, 34, 0)
"""UPDATE … FROM came with 3.33; nothing older than 3.34 is in use on a supported Python."""

_CACHED_STATEMENTS = 1024
"""More than the adapter's statements in all their row counts."""

_PRAGMAS = (
    # Durable when COMMIT returns, also through a loss of power; fullfsync is
    # what macOS needs for that and means nothing elsewhere.
    "PRAGMA synchronous = FULL",
    "PRAGMA fullfsync = ON",
    "PRAGMA checkpoint_fullfsync = ON",
    # Checkpoints have a thread of their own.
    "PRAGMA wal_autocheckpoint = 0",
    # A log that grew in a burst shrinks to this; below it the file is reused
    # as it is, because overwriting blocks syncs faster than appending them.
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
)


def connect(database: str, *, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection in autocommit mode: transactions are begun and ended by name."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StoreUnavailableError(
            f"This Python has SQLite {sqlite3.sqlite_version}; sched needs {oldest} or newer. "
            "Use another Python."
        )
    connection = sqlite3.connect(
        database,
        timeout=busy_timeout_s,
        isolation_level=None,
        cached_statements=_CACHED_STATEMENTS,
    )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def switch_to_wal(connection: sqlite3.Connection, store: str) -> None:
    """Write-ahead logging, which stays with the file."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreUnavailableError(
            f"{store} cannot use write-ahead logging (journal mode {mode!r}); "
            "put it on a local disk."
        )


class Transaction:
    """BEGIN IMMEDIATE on entry; COMMIT on exit, or ROLLBACK if something was raised.

    Whatever comes out as an exception was rolled back. A COMMIT whose outcome
    is unknown, and a ROLLBACK that failed, end the process through `fatal`.
    """

    __slots__ = ("_connection", "_fatal")

    def __init__(self, connection: sqlite3.Connection, fatal: Callable[[str], NoReturn]) -> None:
        self._connection = connection
        self._fatal = fatal

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            self._roll_back()
            return
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as failure:
            # With these two SQLite has not finished the log record.
            if primary_code(failure) not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL):
                self._fatal(
                    f"the database could not be written ({failure}), so it is unknown what was "
                    "stored. The process ends; check the disk and start it again: everything "
                    "that was acknowledged is there."
                )
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        # Some errors have rolled the transaction back already.
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as failure:
            self._fatal(
                f"a transaction could not be rolled back ({failure}). The process ends; check "
                "the disk and start it again: everything that was acknowledged is there."
            )

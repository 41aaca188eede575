"""Moves the write-ahead log into the database, off the path of commits.

A checkpoint syncs the database file, which takes longer than a commit, so it
has a thread and a connection of its own and runs while commits go on
(PASSIVE). SQLite begins the log anew only when a write transaction finds
everything in it moved. Under steady load a checkpoint beside the writer never
gets that far, because the log has grown again when it is done. So once the log
is long, the writer itself moves the short rest between two commits.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sched_server.store.sqlite.thread import DatabaseThread

__all__ = ["Checkpointer", "move_log"]

CHECKPOINT_PAGES = 4_000
"""Checkpoint when the log has grown by about so many pages (16 MB)."""

LONG_LOG_PAGES = 8_000
"""The log shall begin anew when it has this many pages (32 MB)."""

_log = logging.getLogger("sched.store")


class Checkpointer:
    """Decides when to checkpoint; its state belongs to the writer thread."""

    def __init__(self, thread: DatabaseThread, writer_thread: DatabaseThread) -> None:
        self._thread = thread
        self._writer_thread = writer_thread
        self._new_pages = 0
        self._running = False

    def written(self, pages: int) -> None:
        """A commit added about so many pages to the log."""
        self._new_pages += pages
        if self._new_pages >= CHECKPOINT_PAGES and not self._running:
            self._running = True
            self._new_pages = 0
            self._thread.submit(self._run)

    def _run(self, connection: sqlite3.Connection) -> None:
        log_pages = move_log(connection)
        self._writer_thread.submit(
            self._begin_anew if log_pages >= LONG_LOG_PAGES else self._finished
        )

    def _begin_anew(self, writer: sqlite3.Connection) -> None:
        # Few pages are left; the next transaction finds all of them moved.
        move_log(writer)
        self._running = False

    def _finished(self, _writer: sqlite3.Connection) -> None:
        self._running = False


def move_log(connection: sqlite3.Connection, mode: str = "PASSIVE") -> int:
    """A checkpoint; returns how many pages the log has. A failure loses
    nothing (the log stays) and is tried again later, so it is only logged."""
    try:
        row = connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
    except sqlite3.Error as error:
        _log.warning("The write-ahead log could not be moved into the database: %s", error)
        return 0
    return int(row[1])

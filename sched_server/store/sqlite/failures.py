"""What SQLite raises, as the port's errors.

Three kinds: a value that the database does not take (StoreDataError), a state
of the machine that may pass (StoreUnavailableError), and a commit whose outcome
is unknown. For the last there is only one honest answer, to end the process:
the operating system may have dropped the pages that it failed to write, so
that even a later, successful sync proves nothing. What is on the disk is read
at the next start.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from typing import NoReturn

from sched_server.store.port import StoreDataError, StoreUnavailableError

_DATA_CODES = frozenset(
    (
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    )
)

_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_BUSY: "another program holds a lock on it; end that program",
    sqlite3.SQLITE_READONLY: "it cannot be written; check its permissions",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that the folder exists and is writable",
    sqlite3.SQLITE_IOERR: "the disk reported an error; check the disk and the system log",
    sqlite3.SQLITE_CORRUPT: "it is damaged; restore it from a backup",
    sqlite3.SQLITE_NOTADB: "it is damaged; restore it from a backup",
}


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without its extension; 0 if the error came from Python."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def store_error(error: BaseException, store: str) -> BaseException:
    """The port's error for `error`, or `error` itself if it is not about the database."""
    translated: BaseException
    match error:
        case sqlite3.Error():
            code = primary_code(error)
            if code in _DATA_CODES or (code == 0 and isinstance(error, sqlite3.ProgrammingError)):
                translated = StoreDataError(f"{store} refused a value: {error}.")
            else:
                remedy = _REMEDIES.get(code, "try again")
                translated = StoreUnavailableError(f"{store}: {remedy} (SQLite: {error}).")
        case OverflowError() | UnicodeEncodeError():
            translated = StoreDataError(f"{store} refused a value: {error}.")
        case _:
            return error
    translated.__cause__ = error
    return translated


def end_process(message: str) -> NoReturn:
    """Say why on stderr, and end at once, without clean-up that could write."""
    os.write(sys.stderr.fileno() if sys.stderr is not None else 2, f"sched: {message}\n".encode())
    os._exit(os.EX_IOERR)

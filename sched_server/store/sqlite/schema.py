"""The schema of a database file: whose it is, what is applied, and the migration runner.

A store is recognised by SQLite's `application_id` in the file header, set in
the transaction of the first migration. So a file is empty, or ours with all of
a version's tables, or somebody else's; a crash leaves nothing in between.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from sched_server.store.migration import (
    AppliedMigration,
    Migration,
    MigrationFailedError,
    MigrationStep,
    load_migrations,
    migrations_directory,
    plan_migrations,
)
from sched_server.store.port import StoreVersionError
from sched_server.store.sqlite.connection import Transaction
from sched_server.store.sqlite.failures import primary_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import NoReturn

APPLICATION_ID = 0x73636864
"""The letters "schd"."""

# What is applied; written in the transaction of each migration.
_CREATE_RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   TEXT    NOT NULL,
    applied_us INTEGER NOT NULL
)
"""
_READ_RECORD = "SELECT version, name, checksum, applied_us FROM schema_migrations ORDER BY version"
_INSERT_RECORD = """
INSERT INTO schema_migrations (version, name, checksum, applied_us) VALUES (?, ?, ?, ?)
"""
_DELETE_RECORD = "DELETE FROM schema_migrations WHERE version = ?"

# What a script can be wrong about: itself, or the data that it meets.
_SCRIPT_CODES = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH)


def known_migrations() -> list[Migration]:
    """The migrations that come with this version of sched."""
    return load_migrations(migrations_directory("sqlite"))


def check_store(database: Path, known: Sequence[Migration]) -> None:
    """Refuse a file that is not ours, or too new, before anything writes to it.

    Raises StoreVersionError.
    """
    if not database.exists() or database.stat().st_size == 0:
        return
    with closing(connect_to_look(database)) as connection:
        plan_migrations(known, applied_migrations(connection, str(database)), store=str(database))


def connect_to_look(database: Path) -> sqlite3.Connection:
    """A connection for reading a file that may be anybody's. `database` is absolute."""
    # A journal that a crash left behind can only be read by rolling it back.
    mode = "rw" if Path(f"{database}-journal").exists() else "ro"
    return sqlite3.connect(f"{database.as_uri()}?mode={mode}", uri=True, isolation_level=None)


def applied_migrations(connection: sqlite3.Connection, store: str) -> list[AppliedMigration]:
    """What is applied, in order; nothing for an empty database.

    Raises StoreVersionError if the database holds something else.
    """
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (objects,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise StoreVersionError(
            f"{store} is not a SQLite database that can be read ({error}); it was left as it is. "
            "Restore it from a backup, or choose another path."
        ) from error
    if application_id == APPLICATION_ID:
        return [AppliedMigration(*row) for row in connection.execute(_READ_RECORD).fetchall()]
    if application_id == 0 and objects == 0:
        return []
    raise StoreVersionError(
        f"{store} is a SQLite database of another program; it was left as it is. "
        "Choose another path."
    )


def migrate(
    connection: sqlite3.Connection,
    known: Sequence[Migration],
    *,
    store: str,
    fatal: Callable[[str], NoReturn],
    target: int | None = None,
) -> list[MigrationStep]:
    """Bring the database to version `target` (default: the newest known).
    Returns the steps that were taken.

    Raises MigrationFailedError for a script that SQLite refuses.
    """
    steps = plan_migrations(
        known, applied_migrations(connection, store), store=store, target=target
    )
    for step in steps:
        with Transaction(connection, fatal):
            _take(connection, step, store)
    return steps


def _take(connection: sqlite3.Connection, step: MigrationStep, store: str) -> None:
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(_CREATE_RECORD)
    try:
        for statement in split_statements(step.script):
            connection.execute(statement)
    except (sqlite3.Error, ValueError) as error:
        if isinstance(error, sqlite3.Error) and primary_code(error) not in _SCRIPT_CODES:
            raise  # the disk, not the script
        raise MigrationFailedError(step, store, str(error)) from error
    migration = step.migration
    if step.up:
        now_us = time.time_ns() // 1000
        record = (migration.version, migration.name, migration.checksum, now_us)
        connection.execute(_INSERT_RECORD, record)
    else:
        connection.execute(_DELETE_RECORD, (migration.version,))


def split_statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit the
    transaction that is under way. Each must end its line with its semicolon."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""
    if statement.strip():
        raise ValueError(f"The script ends within a statement: {statement.strip()[:80]!r}.")

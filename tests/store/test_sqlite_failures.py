"""What a failing machine does to a commit: nothing is half written, and an
unknown outcome ends the process."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from sched_server.store.port import StoreDataError, StoreUnavailableError
from sched_server.store.sqlite import SqliteStore
from sched_server.store.sqlite.connection import Transaction
from sched_server.store.sqlite.failures import store_error
from tests.store.rows import change, event_ids, lead, new_run


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "sched.db", busy_timeout_s=0.02)
    await store.open()
    yield store
    await store.close()


async def test_a_lock_of_another_program_passes(store: SqliteStore, tmp_path: Path) -> None:
    leader = await lead(store)
    await leader.write(new_run(1))
    with closing(sqlite3.connect(tmp_path / "sched.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailableError, match="another program holds a lock"):
            await leader.commit(change(1, 1, [b"x"]))
        assert await event_ids(store, 1) == [1], "reading goes on"
    await leader.write(change(1, 1, [b"x"]))


async def test_a_full_disk_refuses_a_batch_until_there_is_space(store: SqliteStore) -> None:
    leader = await lead(store)
    await leader.write(new_run(1), new_run(2))
    assert store._writer is not None

    def allow_pages(connection: sqlite3.Connection, more: int) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + more}")

    await store._writer.run(allow_pages, 3)
    big = b"x" * 100_000
    with pytest.raises(StoreUnavailableError, match="the disk is full; free some space"):
        await leader.commit(change(1, 1, [b"small"]), change(2, 1, [big]))
    assert [await event_ids(store, key) for key in (1, 2)] == [[1], [1]]

    await store._writer.run(allow_pages, 1000)
    await leader.write(change(1, 1, [b"small"]), change(2, 1, [big]))


FAIL_AT_COMMIT = """
import asyncio, os, resource, sys
from sched_server.store.sqlite import SqliteStore
from tests.store.rows import change, lead, new_run

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    leader = await lead(store)
    await leader.write(new_run(1))
    for last in range(1, 20):
        await leader.write(change(1, last, [b"x" * 1000]))
    limit = os.path.getsize(sys.argv[1] + "-wal") + 2000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    print("acknowledged 20", flush=True)
    await leader.commit(change(1, 20, [b"x" * 500_000]))
    print("unreachable", flush=True)

asyncio.run(main())
"""


def test_a_write_error_at_commit_ends_the_process_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "sched.db"
    ended = subprocess.run(
        [sys.executable, "-c", FAIL_AT_COMMIT, str(path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.stdout == "acknowledged 20\n"
    assert ended.returncode == os.EX_IOERR
    assert ended.stderr.startswith("sched: the database could not be written (disk I/O error)")
    assert "start it again" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1

    async def read_again() -> list[int]:
        store = SqliteStore(path)
        await store.open()
        found = await event_ids(store, 1)
        await store.close()
        return found

    assert asyncio.run(read_again()) == list(range(1, 21))


# --- transactions, against a connection that fails where it is told to ----------------


class Ended(Exception):
    """Stands for the end of the process."""


def end(message: str) -> NoReturn:
    raise Ended(message)


class FailingConnection(sqlite3.Connection):
    fails: dict[str, int]

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql in self.fails:
            error = sqlite3.OperationalError("failed as told")
            error.sqlite_errorcode = self.fails[sql]
            raise error
        return super().execute(sql, *parameters)


@pytest.fixture
def connection() -> Iterator[FailingConnection]:
    with closing(
        sqlite3.connect(":memory:", isolation_level=None, factory=FailingConnection)
    ) as made:
        assert isinstance(made, FailingConnection)
        made.fails = {}
        made.execute("CREATE TABLE numbers (number INTEGER)")
        yield made


def count(connection: sqlite3.Connection) -> int:
    (found,) = connection.execute("SELECT count(*) FROM numbers").fetchone()
    return int(found)


def insert(connection: sqlite3.Connection, then: Callable[[], None] = lambda: None) -> None:
    with Transaction(connection, end):
        connection.execute("INSERT INTO numbers VALUES (1)")
        then()


def fail() -> None:
    raise KeyError


def test_a_transaction_commits(connection: FailingConnection) -> None:
    insert(connection)
    assert not connection.in_transaction
    assert count(connection) == 1


def test_whatever_is_raised_inside_rolls_back(connection: FailingConnection) -> None:
    with pytest.raises(KeyError):
        insert(connection, then=fail)
    assert not connection.in_transaction
    assert count(connection) == 0


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
def test_a_commit_that_surely_failed_rolls_back(connection: FailingConnection, code: int) -> None:
    connection.fails = {"COMMIT": code}
    with pytest.raises(sqlite3.OperationalError):
        insert(connection)
    assert not connection.in_transaction
    assert count(connection) == 0


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_CORRUPT]
)
def test_a_commit_of_unknown_outcome_ends_the_process(
    connection: FailingConnection, code: int
) -> None:
    connection.fails = {"COMMIT": code}
    with pytest.raises(Ended, match="unknown what was stored"):
        insert(connection)


def test_a_rollback_that_fails_ends_the_process(connection: FailingConnection) -> None:
    connection.fails = {"ROLLBACK": sqlite3.SQLITE_IOERR}
    with pytest.raises(Ended, match="could not be rolled back"):
        insert(connection, then=fail)


def test_a_transaction_that_sqlite_rolled_back_needs_no_rollback(
    connection: FailingConnection,
) -> None:
    def roll_back_and_fail() -> None:
        connection.execute("ROLLBACK")
        connection.fails = {"ROLLBACK": sqlite3.SQLITE_ERROR}
        fail()

    with pytest.raises(KeyError):
        insert(connection, then=roll_back_and_fail)
    assert count(connection) == 0


# --- translation ------------------------------------------------------------------


def sqlite_error(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "expected", "text"),
    [
        (sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE), StoreDataError, "refused a value"),
        (sqlite_error(sqlite3.SQLITE_TOOBIG), StoreDataError, "refused a value"),
        (sqlite3.ProgrammingError("type 'object'"), StoreDataError, "refused a value"),
        (OverflowError("too large"), StoreDataError, "refused a value"),
        (sqlite_error(sqlite3.SQLITE_IOERR_READ), StoreUnavailableError, "check the disk"),
        (sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT), StoreUnavailableError, "another program"),
        (sqlite_error(sqlite3.SQLITE_READONLY), StoreUnavailableError, "permissions"),
        (sqlite_error(sqlite3.SQLITE_CORRUPT), StoreUnavailableError, "backup"),
        (sqlite_error(sqlite3.SQLITE_NOMEM), StoreUnavailableError, "try again"),
    ],
)
def test_what_sqlite_raises_becomes_an_error_of_the_port(
    error: Exception, expected: type[Exception], text: str
) -> None:
    translated = store_error(error, "sqlite a.db")
    assert type(translated) is expected
    assert text in str(translated)
    assert str(translated).startswith("sqlite a.db")
    assert translated.__cause__ is error


def test_other_errors_stay_what_they_are() -> None:
    error = KeyError("a bug")
    assert store_error(error, "sqlite a.db") is error

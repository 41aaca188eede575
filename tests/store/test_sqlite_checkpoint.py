"""The write-ahead log is moved into the database while commits go on."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from sched_server.store.sqlite import SqliteStore, checkpoint
from tests.store.rows import change, event_ids, lead, new_run

PAGE_BYTES = 4096
EVENT_BYTES = 16 * PAGE_BYTES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sched.db"


@pytest.fixture
async def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_PAGES", 100)
    monkeypatch.setattr(checkpoint, "LONG_LOG_PAGES", 200)
    store = SqliteStore(path)
    await store.open()
    yield store
    await store.close()


def size(path: Path) -> int:
    return path.stat().st_size


async def write_events(store: SqliteStore, count: int) -> None:
    leader = await lead(store)
    await leader.write(new_run(1))
    for last in range(1, count):
        await leader.write(change(1, last, [b"x" * EVENT_BYTES]))


async def test_the_log_stays_short_under_steady_load(store: SqliteStore, path: Path) -> None:
    await write_events(store, 400)
    written = 400 * EVENT_BYTES
    assert size(Path(f"{path}-wal")) < written / 2
    assert size(path) > written / 2
    assert await event_ids(store, 1) == list(range(1, 401))


async def test_a_reader_from_outside_does_not_stop_commits(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as outside:
        outside.execute("BEGIN")
        outside.execute("SELECT count(*) FROM runs").fetchone()
        await write_events(store, 50)
    assert await event_ids(store, 1) == list(range(1, 51))


async def test_a_short_log_is_left_alone(store: SqliteStore, path: Path) -> None:
    await (await lead(store)).write(new_run(1))
    before = size(path)
    await (await lead(store)).write(new_run(2))
    assert size(path) == before
    assert size(Path(f"{path}-wal")) > 0


async def test_closing_moves_everything(store: SqliteStore, path: Path) -> None:
    await (await lead(store)).write(new_run(1))
    await store.close()
    with closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as alone:
        assert alone.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_checkpoint_that_fails_is_reported_and_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.close()
    with caplog.at_level(logging.WARNING):
        assert checkpoint.move_log(connection) == 0
    assert "could not be moved into the database" in caplog.text

"""Opening and closing a SQLite store: files, locks, and what is refused."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sched_sdk.api.v1 import common_pb2
from sched_server.store import open_runs
from sched_server.store.migration import load_migrations, migrations_directory
from sched_server.store.port import (
    RunFilter,
    StoreLockedError,
    StoreUnavailableError,
    StoreVersionError,
)
from sched_server.store.sqlite import MEMORY, SqliteStore
from tests.store.rows import lead, new_run

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sched.db"


async def use(path: Path) -> None:
    """Open a store, write a run, close it."""
    store = SqliteStore(path)
    await store.open()
    leader = await lead(store)
    run_key = leader.lease.next_run_key
    await leader.write(new_run(run_key))
    await store.close()


def use_now(path: Path) -> None:
    """The same for tests that are about files, not about waiting."""
    asyncio.run(use(path))


def execute(path: Path, *sql: str) -> list[tuple[object, ...]]:
    """Run SQL from outside, the last statement's rows back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        rows: list[tuple[object, ...]] = []
        for statement in sql:
            rows = connection.execute(statement).fetchall()
        return rows


@contextmanager
def without_privileges() -> Iterator[None]:
    """Root may write everywhere; be somebody else for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_it_creates_the_folders_above(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "sched.db"
    use_now(path)
    assert path.is_file()


def test_descriptions_are_for_people() -> None:
    assert SqliteStore(".sched/dev.db").description == "sqlite .sched/dev.db"
    assert SqliteStore(MEMORY).description == "sqlite :memory:"


def test_a_store_in_memory_makes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    use_now(Path(MEMORY))
    assert list(tmp_path.iterdir()) == []


async def test_commits_are_synced_before_they_return(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    assert store._writer is not None

    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "wal_autocheckpoint")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    full = 2
    assert await store._writer.run(pragmas) == ["wal", full, 0]
    await store.close()


def test_closing_leaves_one_database_file(path: Path) -> None:
    use_now(path)
    assert {file.name for file in path.parent.iterdir()} == {"sched.db", "sched.db.lock"}
    assert execute(path, "SELECT count(*) FROM events") == [(1,)]


async def test_an_open_store_is_not_opened_again(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    with pytest.raises(RuntimeError, match="open already"):
        await store.open()
    await (await lead(store)).write(new_run(1))
    await store.close()


def test_a_cluster_has_one_id_for_life(path: Path) -> None:
    use_now(path)
    query = "SELECT value FROM meta WHERE key = 'cluster_id'"
    ((first,),) = execute(path, query)
    use_now(path)
    assert execute(path, query) == [(first,)]
    assert len(str(first)) == 32


def test_an_open_run_is_a_running_one() -> None:
    assert open_runs.OPEN_STATUS == common_pb2.WORKFLOW_STATUS_RUNNING


# --- the lock -------------------------------------------------------------------


async def test_a_second_engine_is_refused_and_told_who_holds_it(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    with pytest.raises(StoreLockedError, match=rf"process {os.getpid()}\)\. Stop that process"):
        await use(path)
    await (await lead(store)).write(new_run(1))
    await store.close()
    await use(path)


async def test_another_path_to_the_same_file_is_the_same_store(path: Path) -> None:
    store = SqliteStore(path)
    await store.open()
    link = path.parent / "link.db"
    os.symlink(path, link)
    with pytest.raises(StoreLockedError):
        await use(link)
    await store.close()


HOLD_THE_LOCK = """
import asyncio, sys
from sched_server.store.sqlite import SqliteStore

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open()
    print("open", flush=True)
    sys.stdin.read()

asyncio.run(main())
"""


def test_the_lock_is_free_as_soon_as_its_holder_is_killed(path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"open\n"
        with pytest.raises(StoreLockedError, match=f"process {child.pid}"):
            use_now(path)
        child.kill()
    use_now(path)


# --- what is refused --------------------------------------------------------------


def test_a_folder_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"is a folder; give the path of a file"):
        use_now(tmp_path)


def test_a_path_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailableError, match="Cannot create the folder"):
        use_now(tmp_path / "file" / "sched.db")


def test_a_device_is_no_database() -> None:
    with pytest.raises(StoreUnavailableError, match="no regular file"):
        use_now(Path("/dev/null"))


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that an unprivileged user can reach, which pytest's is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_cannot_be_written(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    with without_privileges():
        with pytest.raises(StoreUnavailableError, match="must be writable"):
            use_now(public_folder / "sched.db")
        with pytest.raises(StoreUnavailableError, match="Cannot create the folder"):
            use_now(public_folder / "below" / "sched.db")
    assert list(public_folder.iterdir()) == []


def test_a_database_that_cannot_be_written_or_read(public_folder: Path) -> None:
    path = public_folder / "sched.db"
    use_now(path)
    for mode, text in ((0o444, "Cannot write"), (0o000, "Cannot read")):
        path.chmod(mode)
        with without_privileges(), pytest.raises(StoreUnavailableError, match=text):
            use_now(path)


@pytest.mark.parametrize("content", [b"name,amount\nx,1\n", b"S", b"SQLite format 2\0" * 300])
def test_a_file_of_another_kind_stays_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreVersionError, match="is not a SQLite database; it was left as it is"):
        use_now(path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_database_is_said_to_be_one(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(StoreVersionError, match="left as it is"):
        use_now(path)
    assert path.read_bytes() == b"SQLite format 3\0" + b"\xff" * 5000


@pytest.mark.parametrize("journal_mode", ["delete", "wal"])
def test_a_database_of_another_program_stays_as_it_is(path: Path, journal_mode: str) -> None:
    execute(path, f"PRAGMA journal_mode = {journal_mode}", "CREATE TABLE runs (name TEXT)")
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match="of another program; it was left as it is"):
        use_now(path)
    assert path.read_bytes() == before
    assert not Path(f"{path}.lock").exists()


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    use_now(path)
    assert execute(path, "SELECT count(*) FROM runs") == [(1,)]


def test_a_newer_store_is_refused_by_both_versions(path: Path) -> None:
    use_now(path)
    known = len(load_migrations(migrations_directory("sqlite")))
    execute(path, f"INSERT INTO schema_migrations VALUES ({known + 1}, 'future', 'abc', 0)")
    before = path.read_bytes()
    with pytest.raises(
        StoreVersionError,
        match=rf"schema version is {known + 1}, this one knows up to {known}\. Upgrade sched",
    ):
        use_now(path)
    assert path.read_bytes() == before


def test_a_store_made_by_other_migrations_is_refused(path: Path) -> None:
    use_now(path)
    execute(path, "UPDATE schema_migrations SET checksum = 'something else'")
    with pytest.raises(StoreVersionError, match=r"another 0001_initial"):
        use_now(path)


def test_after_a_refusal_the_same_object_can_be_opened(path: Path) -> None:
    async def refuse_then_use() -> None:
        store = SqliteStore(path)
        with pytest.raises(StoreUnavailableError):
            await store.open()
        os.rmdir(path)
        await store.open()
        assert await store.count_runs(RunFilter()) == {}
        await store.close()

    path.mkdir()
    asyncio.run(refuse_then_use())


def test_closing_what_was_never_opened_is_nothing(path: Path) -> None:
    asyncio.run(SqliteStore(path).close())
    assert list(path.parent.iterdir()) == []

"""Migration files, plans, and running them on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from sched_server.store.migration import (
    AppliedMigration,
    Migration,
    MigrationFailedError,
    MigrationFilesError,
    load_migrations,
    migrations_directory,
    plan_migrations,
)
from sched_server.store.port import StoreVersionError
from sched_server.store.sqlite.connection import connect
from sched_server.store.sqlite.schema import (
    applied_migrations,
    check_store,
    known_migrations,
    migrate,
    split_statements,
)

KNOWN = [
    Migration(
        version=version,
        name=f"step{version}",
        up=f"CREATE TABLE t{version} (a INTEGER);\nINSERT INTO t{version} VALUES ({version});\n",
        down=f"DROP TABLE t{version};\n",
        checksum=f"checksum-{version}",
    )
    for version in (1, 2, 3)
]


def applied(*versions: int) -> list[AppliedMigration]:
    return [
        AppliedMigration(version, f"step{version}", f"checksum-{version}", 0)
        for version in versions
    ]


def plan(rows: list[AppliedMigration], target: int | None = None) -> list[tuple[int, bool]]:
    steps = plan_migrations(KNOWN, rows, store="the store", target=target)
    return [(step.migration.version, step.up) for step in steps]


# --- files ------------------------------------------------------------------------


def write_pair(folder: Path, version: int, name: str = "change") -> None:
    (folder / f"{version:04d}_{name}.up.sql").write_text(f"-- up {version}\n")
    (folder / f"{version:04d}_{name}.down.sql").write_text(f"-- down {version}\n")


def test_migrations_are_loaded_in_order(tmp_path: Path) -> None:
    for version in (3, 1, 2):
        write_pair(tmp_path, version)
    loaded = load_migrations(tmp_path)
    assert [migration.label for migration in loaded] == [
        "0001_change",
        "0002_change",
        "0003_change",
    ]
    assert (loaded[1].up, loaded[1].down) == ("-- up 2\n", "-- down 2\n")


def test_the_checksum_is_of_the_up_file_whatever_its_line_ends(tmp_path: Path) -> None:
    write_pair(tmp_path, 1)
    (first,) = load_migrations(tmp_path)
    (tmp_path / "0001_change.up.sql").write_bytes(b"-- up 1\r\n")
    (tmp_path / "0001_change.down.sql").write_text("-- other\n")
    assert load_migrations(tmp_path)[0].checksum == first.checksum
    (tmp_path / "0001_change.up.sql").write_text("-- up one\n")
    assert load_migrations(tmp_path)[0].checksum != first.checksum


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "without gaps"),
        (["0002_b.up.sql", "0002_b.down.sql"], r"versions \[2\]; expected 1, 2, 3"),
        (["0001_a.up.sql"], "version 0001 needs one .up.sql and one .down.sql"),
        (["0001_a.up.sql", "0001_b.down.sql"], "of the same name"),
        (["0001_a.up.sql", "0001_b.up.sql", "0001_a.down.sql"], "version 0001 exists twice"),
        (["1_a.up.sql"], "is not named like a migration"),
        (["0001_a.sql"], "is not named like a migration"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(MigrationFilesError, match=message):
        load_migrations(tmp_path)


def test_the_files_of_a_source_checkout_are_found() -> None:
    directory = migrations_directory("sqlite")
    assert (directory / "0001_initial.up.sql").is_file()
    with pytest.raises(MigrationFilesError, match="for oracle are missing"):
        migrations_directory("oracle")


def test_the_files_of_an_installed_package_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "sched_server" / "store"
    (package / "migrations" / "sqlite").mkdir(parents=True)
    monkeypatch.setattr("sched_server.store.migration.__file__", str(package / "migration.py"))
    assert migrations_directory("sqlite") == package / "migrations" / "sqlite"


# --- plans ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "target", "steps"),
    [
        ((), None, [(1, True), (2, True), (3, True)]),
        ((1,), None, [(2, True), (3, True)]),
        ((1, 2, 3), None, []),
        ((), 2, [(1, True), (2, True)]),
        ((1, 2, 3), 1, [(3, False), (2, False)]),
        ((1, 2), 0, [(2, False), (1, False)]),
        ((1, 2), 2, []),
    ],
)
def test_a_plan(
    versions: tuple[int, ...], target: int | None, steps: list[tuple[int, bool]]
) -> None:
    assert plan(applied(*versions), target) == steps


@pytest.mark.parametrize("target", [-1, 4])
def test_a_target_that_does_not_exist(target: int) -> None:
    with pytest.raises(ValueError, match=f"no schema version {target}; known are 0 to 3"):
        plan([], target)


def test_a_store_that_is_newer_names_both_versions() -> None:
    with pytest.raises(
        StoreVersionError, match=r"^the store was written by a newer sched.* is 5, .* up to 3\."
    ):
        plan(applied(1, 2, 3, 5))


def test_a_store_with_a_gap() -> None:
    with pytest.raises(StoreVersionError, match=r"applied are \[1, 3\]"):
        plan(applied(1, 3))


def test_a_store_made_with_another_file() -> None:
    rows = [*applied(1), AppliedMigration(2, "step2", "edited", 0)]
    with pytest.raises(StoreVersionError, match="another 0002_step2"):
        plan(rows)


# --- on SQLite ----------------------------------------------------------------------


def end(message: str) -> NoReturn:
    raise AssertionError(message)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(str(tmp_path / "sched.db"), busy_timeout_s=1)) as made:
        yield made


def run(
    connection: sqlite3.Connection, known: list[Migration], target: int | None = None
) -> list[tuple[int, bool]]:
    steps = migrate(connection, known, store="the store", fatal=end, target=target)
    return [(step.migration.version, step.up) for step in steps]


def schema(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for name, _ in schema(connection)} - {"schema_migrations"}


def test_up_and_down_again(connection: sqlite3.Connection) -> None:
    assert run(connection, KNOWN[:2]) == [(1, True), (2, True)]
    assert run(connection, KNOWN) == [(3, True)]
    assert run(connection, KNOWN) == []
    assert tables(connection) == {"t1", "t2", "t3"}

    assert run(connection, KNOWN, target=1) == [(3, False), (2, False)]
    assert tables(connection) == {"t1"}
    assert [row.version for row in applied_migrations(connection, "the store")] == [1]
    assert run(connection, KNOWN) == [(2, True), (3, True)]


def test_a_store_migrated_all_the_way_down_is_still_a_store(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    known = known_migrations()
    run(connection, known)
    before = schema(connection)
    run(connection, known, target=0)
    assert tables(connection) == set()

    check_store(tmp_path / "sched.db", known)
    run(connection, known)
    assert schema(connection) == before


def test_a_record_is_kept_of_each_migration(connection: sqlite3.Connection) -> None:
    run(connection, KNOWN)
    rows = applied_migrations(connection, "the store")
    assert [(row.version, row.name, row.checksum) for row in rows] == [
        (1, "step1", "checksum-1"),
        (2, "step2", "checksum-2"),
        (3, "step3", "checksum-3"),
    ]
    assert all(row.applied_us > 1_600_000_000_000_000 for row in rows)


def test_a_migration_that_fails_leaves_nothing_behind(connection: sqlite3.Connection) -> None:
    run(connection, KNOWN[:1])
    broken = Migration(
        version=2,
        name="broken",
        up="CREATE TABLE half (a INTEGER);\nCREATE TABLE t1 (a INTEGER);\n",
        down="",
        checksum="x",
    )
    with pytest.raises(
        MigrationFailedError, match=r"0002_broken\.up\.sql failed on the store .*t1 already exists"
    ):
        run(connection, [KNOWN[0], broken])
    assert tables(connection) == {"t1"}
    assert len(applied_migrations(connection, "the store")) == 1


def test_a_first_migration_that_fails_leaves_an_empty_database(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    broken = Migration(version=1, name="broken", up="NO SQL;\n", down="", checksum="x")
    with pytest.raises(MigrationFailedError, match="syntax error"):
        run(connection, [broken])
    assert schema(connection) == []
    check_store(tmp_path / "sched.db", KNOWN)
    assert run(connection, KNOWN) == [(1, True), (2, True), (3, True)]


def test_scripts_are_split_at_semicolons_that_end_statements() -> None:
    script = (
        "-- a comment; with a semicolon\n"
        "CREATE TABLE a (b TEXT DEFAULT ';');\n"
        "CREATE TRIGGER c AFTER INSERT ON a BEGIN\n"
        "    DELETE FROM a;\n"
        "END;\n"
    )
    statements = list(split_statements(script))
    assert [statement.splitlines()[-1] for statement in statements] == [
        "CREATE TABLE a (b TEXT DEFAULT ';');",
        "END;",
    ]


def test_a_script_that_ends_within_a_statement() -> None:
    with pytest.raises(ValueError, match="ends within a statement: 'DROP TABLE a'"):
        list(split_statements("DROP TABLE b;\nDROP TABLE a\n"))

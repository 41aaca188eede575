"""`sched migrate` on both stores: what it applies, takes back, shows and refuses."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sched_sdk import Client
from sched_server import EngineServer, EngineSettings
from sched_server.store import migration, new_migration
from tests.cli.support import SCHED, Running, clean_environment, sched_in_process, start_dev

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]

# What a catalog says of everything that a migration may make.
_POSTGRES_CATALOG = """
SELECT 'column', table_name, column_name, data_type || ' ' || is_nullable || ' '
    || coalesce(column_default, '') || ' ' || coalesce(collation_name, '')
FROM information_schema.columns WHERE table_schema = 'sched'
UNION ALL SELECT 'index', tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'sched'
UNION ALL SELECT 'view', viewname, '', definition FROM pg_views WHERE schemaname = 'sched'
UNION ALL SELECT 'options', relname, '', array_to_string(reloptions, ' ')
FROM pg_class WHERE relnamespace = 'sched'::regnamespace AND reloptions IS NOT NULL
UNION ALL SELECT 'function', proname, '', pg_get_functiondef(oid)
FROM pg_proc WHERE pronamespace = 'sched'::regnamespace
UNION ALL SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'sched'::regnamespace
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Place:
    """A store that may not exist yet."""

    dialect: str
    options: tuple[str, str]
    settings: EngineSettings
    query: Callable[[str], list[tuple[Any, ...]]]

    def migrate(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return sched_in_process("migrate", *arguments, *self.options, environment={})

    def done(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same; it must succeed."""
        done = self.migrate(*arguments)
        assert done.returncode == 0, done.stderr
        return done

    def status(self) -> Any:
        return json.loads(self.migrate("status", "-o", "json").stdout)

    def catalog(self) -> list[tuple[Any, ...]]:
        if self.dialect == "postgres":
            return self.query(_POSTGRES_CATALOG)
        return self.query("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")

    def tables(self) -> set[str]:
        records = {"sched_migrations", "schema_migrations"}
        if self.dialect == "postgres":
            rows = self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'sched'")
        else:
            rows = self.query("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows} - records


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        file = tmp_path / "store" / "sched.db"

        def ask_file(statement: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(file)) as connection:
                return connection.execute(statement).fetchall()

        settings = EngineSettings(db=file, port=0)
        return Place("sqlite", ("--db", str(file)), settings, ask_file)
    dsn = request.getfixturevalue("postgres_database")

    def ask_server(statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(dsn, options="-c search_path=sched") as connection:
            return connection.execute(statement.encode()).fetchall()

    settings = EngineSettings(postgres_dsn=dsn, port=0)
    return Place("postgres", ("--postgres-dsn", dsn), settings, ask_server)


def copy_first_migration(target: Path) -> None:
    """What these tests say of versions holds however many migrations there are."""
    for dialect in ("sqlite", "postgres"):
        (target / dialect).mkdir(parents=True)
        for script in (ROOT / "migrations" / dialect).glob("0001_*"):
            shutil.copy(script, target / dialect)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the first migration, which sched takes for its only one."""
    package = tmp_path / "installed" / "store"
    copy_first_migration(package / "migrations")
    monkeypatch.setattr(migration, "__file__", str(package / "migration.py"))
    return package / "migrations"


@pytest.fixture
def all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all migrations, with which an engine works."""
    package = tmp_path / "installed" / "store"
    shutil.copytree(ROOT / "migrations", package / "migrations")
    monkeypatch.setattr(migration, "__file__", str(package / "migration.py"))
    return package / "migrations"


def add(files: Path, name: str, up: str, down: str) -> None:
    for dialect in ("sqlite", "postgres"):
        number = len(list((files / dialect).glob("*.up.sql"))) + 1
        (files / dialect / f"{number:04d}_{name}.up.sql").write_text(up)
        (files / dialect / f"{number:04d}_{name}.down.sql").write_text(down)


def add_tags(files: Path) -> None:
    add(
        files,
        "add_tags",
        "ALTER TABLE runs ADD COLUMN tag TEXT;\nCREATE TABLE tags (tag TEXT);\n",
        "DROP TABLE tags;\nALTER TABLE runs DROP COLUMN tag;\n",
    )


# --- up and down --------------------------------------------------------------------


def test_down_and_up_again_makes_the_same_schema(place: Place) -> None:
    assert "applied 0001_initial" in place.done("up").stderr
    first = place.catalog()
    assert len(first) > 10
    place.done("down", "--to", "0", "--yes")
    assert place.tables() == set()
    place.done("up")
    assert place.catalog() == first
    assert "is up to date" in place.done("up").stderr
    assert place.catalog() == first


def test_a_second_migration_down_and_up_again(place: Place, files: Path) -> None:
    place.done("up")
    first = place.catalog()
    add_tags(files)
    done = place.done("up")
    assert "applied 0002_add_tags" in done.stderr
    assert "0001" not in done.stderr
    second = place.catalog()
    assert "tags" in place.tables()
    place.done("down", "--to", "1", "--yes")
    if place.dialect == "postgres":
        assert place.catalog() == first
    else:  # SQLite keeps the text of the table as it was edited
        assert place.tables() == {row[1] for row in first if row[0] == "table"} - {
            "schema_migrations"
        }
    place.done("up")
    assert place.catalog() == second


async def test_workflows_survive_a_migration(place: Place, all_files: Path) -> None:
    await asyncio.to_thread(place.done, "up")
    before = await _with_engine(place.settings, _start_one)
    add_tags(all_files)
    await asyncio.to_thread(place.done, "up")
    assert await _with_engine(place.settings, _describe_it) == before
    assert (await asyncio.to_thread(place.query, "SELECT workflow_id, tag FROM runs")) == [
        ("kept", None)
    ]


async def _with_engine(settings: EngineSettings, use: Callable[[Client], Any]) -> Any:
    server = EngineServer(settings)
    await server.start()
    try:
        async with await Client.connect(server.address) as client:
            return await use(client)
    finally:
        await server.stop(0)


async def _start_one(client: Client) -> Any:
    await client.start_workflow("Kept", "2026-11", id="kept")
    return await _describe_it(client)


async def _describe_it(client: Client) -> Any:
    description = await client.workflow("kept").describe()
    return description.info, description.input


def test_up_and_down_to_a_version(place: Place, files: Path) -> None:
    add_tags(files)
    place.done("up", "--to", "1")
    assert place.status()["version"] == 1
    backwards = place.migrate("up", "--to", "0")
    assert backwards.returncode == 2
    assert "sched migrate down --to 0" in backwards.stderr
    forwards = place.migrate("down", "--to", "2", "--yes")
    assert forwards.returncode == 2
    assert "sched migrate up --to 2" in forwards.stderr
    unknown = place.migrate("up", "--to", "7")
    assert unknown.returncode == 2
    assert "no schema version 7; known are 0 to 2" in unknown.stderr
    assert "is at version 1 already" in place.done("down", "--to", "1").stderr
    assert place.status()["version"] == 1


def test_a_script_that_fails_leaves_nothing_behind(place: Place, files: Path) -> None:
    place.done("up")
    before = place.catalog()
    add(files, "broken", "CREATE TABLE half (a INTEGER);\nCREATE TABLE runs (a INTEGER);\n", ";\n")
    done = place.migrate("up")
    assert done.returncode == 1
    assert "0002_broken.up.sql failed on" in done.stderr
    assert "already exists" in done.stderr
    assert place.catalog() == before
    assert place.status()["version"] == 1


# --- asking first -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "code", "told", "version"),
    [
        ("y\n", 0, "is now at version 1", 1),
        ("n\n", 1, "error: Nothing was changed.", 2),
        ("", 1, "--yes does not ask", 2),
    ],
)
def test_down_says_what_is_lost_and_asks(
    place: Place, files: Path, answer: str, code: int, told: str, version: int
) -> None:
    add_tags(files)
    place.done("up")
    done = _answering(files, answer, "down", "--to", "1", *place.options)
    assert done.returncode == code, done.stderr
    assert "takes back 0002_add_tags from" in done.stderr
    assert "table tags, 0 rows" in done.stderr
    assert "column runs.tag" in done.stderr
    assert told in done.stderr
    assert place.status()["version"] == version


def _answering(files: Path, answer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own, because it reads its standard input."""
    code = (
        "import sys; from sched_server.store import migration; from sched_cli.main import run\n"
        f"migration.__file__ = {str(files.parent / 'migration.py')!r}; run(sys.argv[1:])"
    )
    return subprocess.run(
        [SCHED[0], "-c", code, "migrate", *arguments],
        env=clean_environment(),
        input=answer,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# --- looking ------------------------------------------------------------------------


def test_a_dry_run_prints_the_sql_and_changes_nothing(place: Place, files: Path) -> None:
    script = (files / place.dialect / "0001_initial.up.sql").read_text().rstrip()
    done = place.done("up", "--dry-run")
    assert done.stdout.startswith("-- 0001_initial.up.sql: ")
    assert script in done.stdout
    assert place.status()["version"] == 0
    if place.dialect == "sqlite":
        assert not Path(place.options[1]).parent.exists()

    place.done("up")
    before = place.catalog()
    script = (files / place.dialect / "0001_initial.down.sql").read_text().rstrip()
    assert script in place.done("down", "--to", "0", "--dry-run").stdout
    assert place.catalog() == before


def test_status_says_what_is_applied_and_what_is_not(place: Place, files: Path) -> None:
    shown = place.done("status")
    assert "0001" not in shown.stdout
    assert "pending" in shown.stdout
    assert "has no sched schema yet; 1 to apply: sched migrate up" in shown.stderr
    place.done("up")
    add_tags(files)
    told = place.status()
    assert told["store"].startswith(place.dialect)
    assert (told["version"], told["pending"], told["problem"]) == (1, 1, "")
    first, second = told["migrations"]
    assert first.pop("applied_time").startswith("20")
    assert first == {"version": 1, "name": "initial", "state": "applied", "checksum_ok": True}
    assert second == {
        "version": 2,
        "name": "add_tags",
        "state": "pending",
        "applied_time": None,
        "checksum_ok": None,
    }
    place.done("up")
    assert "is up to date" in place.done("status").stderr


# --- refusing -----------------------------------------------------------------------


def test_an_edited_file_is_refused(place: Place, files: Path) -> None:
    place.done("up")
    path = files / place.dialect / "0001_initial.up.sql"
    path.write_text(path.read_text() + "-- a later thought\n")
    add_tags(files)
    for command in (("up",), ("down", "--to", "0", "--yes")):
        done = place.migrate(*command)
        assert done.returncode == 2
        assert "was made with another 0001_initial (checksum" in done.stderr
    shown = place.migrate("status")
    assert shown.returncode == 1
    assert "edited" in shown.stdout
    assert "was made with another 0001_initial" in shown.stderr
    assert place.status()["migrations"][0]["checksum_ok"] is False
    assert "tags" not in place.tables()


def test_a_store_that_is_newer_is_refused(place: Place, files: Path) -> None:
    add_tags(files)
    place.done("up")
    for path in (files / place.dialect).glob("0002_*"):
        path.unlink()
    done = place.migrate("up")
    assert done.returncode == 2
    assert "schema version is 2, this one knows up to 1. Upgrade sched" in done.stderr
    shown = place.migrate("status")
    assert shown.returncode == 1
    assert "missing" in shown.stdout


def test_half_of_a_pair_is_refused(place: Place, files: Path) -> None:
    add_tags(files)
    (files / place.dialect / "0002_add_tags.down.sql").unlink()
    done = place.migrate("up")
    assert done.returncode == 1
    assert "version 0002 needs one .up.sql and one .down.sql" in done.stderr


def test_a_migration_that_is_not_written_yet_is_refused(place: Place, files: Path) -> None:
    add(files, "later", "-- to be written\n", "-- to be written\n")
    done = place.migrate("up")
    assert done.returncode == 1
    assert "0002_later.up.sql holds no statement" in done.stderr
    assert place.status()["version"] == 0


def test_a_file_that_an_engine_uses_is_refused(tmp_path: Path) -> None:
    running, _ = start_dev(tmp_path)
    with running:
        file = str(tmp_path / ".sched" / "dev.db")
        for command in (("up",), ("down", "--to", "0", "--yes")):
            done = sched_in_process("migrate", *command, "--db", file, environment={})
            assert done.returncode == 1, done.stderr
            assert f"in use by another engine (process {running.process.pid})" in done.stderr
        looking = sched_in_process("migrate", "status", "--db", file, environment={})
        assert looking.returncode == 0


def test_a_database_that_engines_use_is_not_taken_down(
    postgres_database: str, tmp_path: Path
) -> None:
    engine = Running(
        *("engine", "--postgres-dsn", postgres_database, "--migrate"),
        *("--port", "0", "--metrics-port", "0"),
        cwd=tmp_path,
    )
    down = ("migrate", "down", "--to", "0", "--yes", "--postgres-dsn", postgres_database)
    with engine:
        address = engine.wait_for(r"engine\s+(\S+)").group(1)
        engine.wait_for("leads, epoch")
        done = sched_in_process(*down, environment={})
        assert done.returncode == 1
        assert f"in use by an engine ({address}). Stop every engine first" in done.stderr
        assert engine.process.poll() is None
    assert sched_in_process(*down, environment={}).returncode == 0


# --- which store --------------------------------------------------------------------


def test_the_store_must_be_named_once(tmp_path: Path) -> None:
    none = sched_in_process("migrate", "status", environment={})
    assert none.returncode == 2
    assert "--postgres-dsn" in none.stderr
    file = str(tmp_path / "sched.db")
    both = ("--db", file, "--postgres-dsn", "postgresql://localhost/orders")
    done = sched_in_process("migrate", "status", *both, environment={})
    assert done.returncode == 2
    assert "Name one of them" in done.stderr


def test_the_command_line_wins_over_a_variable(tmp_path: Path) -> None:
    variables = {"SCHED_POSTGRES_DSN": "postgresql://127.0.0.1:1/orders"}
    file = str(tmp_path / "sched.db")
    done = sched_in_process("migrate", "up", "--db", file, environment=variables)
    assert done.returncode == 0, done.stderr
    assert Path(file).exists()


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        (("secret-of-tests", "other-secret"), 2, "refused the password or the user 'postgres'"),
        (("/postgres", "/no_such"), 2, "it has no database 'no_such'"),
        ((":{port}/", ":1/"), 3, "nothing listens there"),
        (("postgresql://", "postgresql//"), 2, "cannot be read"),
    ],
)
def test_a_dsn_that_leads_nowhere(
    postgres_server: Any, change: tuple[str, str], code: int, told: str
) -> None:
    dsn = postgres_server.dsn
    port = dsn.rpartition(":")[2].partition("/")[0]
    wrong = change[1].join(dsn.rsplit(change[0].format(port=port), 1))
    for command in (("status",), ("up",)):
        done = sched_in_process("migrate", *command, environment={"SCHED_POSTGRES_DSN": wrong})
        assert done.returncode == code, done.stderr
        assert told in done.stderr
        assert "secret" not in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_file_of_somebody_else(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE theirs (a INTEGER)")
    for command in (("status",), ("up",), ("down", "--to", "0", "--yes")):
        done = sched_in_process("migrate", *command, "--db", str(foreign), environment={})
        assert done.returncode == 2
        assert "database of another program; it was left as it is" in done.stderr
    folder = sched_in_process("migrate", "up", "--db", str(tmp_path), environment={})
    assert folder.returncode == 2
    assert "is a folder" in folder.stderr


# --- new ----------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_first_migration(tmp_path / "checkout" / "migrations")
    (tmp_path / "checkout" / "pyproject.toml").touch()
    monkeypatch.setattr(new_migration, "_ROOT", tmp_path / "checkout")
    return tmp_path / "checkout"


def test_new_makes_a_pair_for_each_dialect(checkout: Path) -> None:
    done = sched_in_process("migrate", "new", "Add tags", environment={})
    assert done.returncode == 0, done.stderr
    made = [Path(line).name for line in done.stdout.splitlines()]
    assert made == ["0002_add_tags.up.sql", "0002_add_tags.down.sql"] * 2
    for dialect in ("postgres", "sqlite"):
        loaded = migration.load_migrations(checkout / "migrations" / dialect)
        assert [each.label for each in loaded] == ["0001_initial", "0002_add_tags"]
    again = sched_in_process("migrate", "new", "add-tags", environment={})
    assert again.returncode == 2
    assert "has 0002_add_tags already" in again.stderr


@pytest.mark.parametrize("name", ["…", "a" * 61])
def test_new_refuses_what_is_no_name(checkout: Path, name: str) -> None:
    done = sched_in_process("migrate", "new", name, environment={})
    assert done.returncode == 2
    assert "cannot name a migration" in done.stderr
    assert len(list(checkout.rglob("*.sql"))) == 4


def test_new_needs_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_migration, "_ROOT", tmp_path)
    done = sched_in_process("migrate", "new", "add_tags", environment={})
    assert done.returncode == 1
    assert "in a source checkout of sched" in done.stderr

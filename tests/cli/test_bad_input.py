"""What cannot be used is refused in a sentence with the next step, by the commands
that people type; and no password is ever repeated."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.cli.engines import start_engine
from tests.cli.support import sched, sched_in_process
from tests.servers.pooler import pooled

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

ENGINE = ("engine", "--port", "0", "--metrics-port", "0", "--store-wait", "0")
COMMANDS = [ENGINE, ("migrate", "up"), ("migrate", "status")]


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *told: str) -> None:
    """One sentence or two, with every one of these in it."""
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    for part in told:
        assert part in done.stderr


# --- passwords ------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
@pytest.mark.parametrize(
    ("dsn", "code", "told"),
    [
        ("postgresql://ops:hunter2@127.0.0.1:1/orders", 3, "start Postgres, or correct the DSN"),
        ("host=127.0.0.1 port=1 password=hunter2", 3, "start Postgres, or correct the DSN"),
        ("postgresql://ops:hunter2@127.0.0.1:many/orders", 2, "a value that cannot be used"),
        ("postgresql://ops:hunter2@127.0.0.1:99999/orders", 2, "a value that cannot be used"),
        ("host=127.0.0.1 password hunter2", 2, "The Postgres DSN cannot be read"),
        ("redis://ops:hunter2@127.0.0.1", 2, "The Postgres DSN cannot be read"),
        # What follows would be taken for the host, or for the database.
        ("postgresql://ops:p@hunter2@127.0.0.1:1/orders", 2, "written as %40"),
        ("postgresql://ops:hun/ter2@127.0.0.1:1/orders", 2, "written as %40"),
    ],
)
def test_a_dsn_is_never_repeated(command: tuple[str, ...], dsn: str, code: int, told: str) -> None:
    environment = {"SCHED_POSTGRES_DSN": dsn}
    done = sched_in_process(*command, environment=environment)
    assert_refused(done, code, told)
    debugged = sched_in_process(*command, "--debug", environment=environment)
    assert "Traceback (most recent call last)" in debugged.stderr
    for said in (done.stderr, debugged.stderr, done.stdout, debugged.stdout):
        assert "hunter2" not in said
        assert "ter2@" not in said


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@cache:many", "redis://:hun/ter2@cache", "http://:hunter2@cache"]
)
def test_a_redis_url_is_never_repeated(url: str) -> None:
    environment = {"SCHED_POSTGRES_DSN": "postgresql://127.0.0.1:1/x", "SCHED_REDIS_URL": url}
    done = sched_in_process(*ENGINE, "--debug", environment=environment)
    assert done.returncode == 2
    assert "--redis-url: Not a Redis URL" in done.stderr
    assert "expected redis://[user:password@]host" in done.stderr
    assert "ter2" not in done.stderr


@pytest.mark.parametrize(
    "command", [("cluster", "status"), ("workflow", "list"), ("worker", "app.py")], ids=" ".join
)
def test_a_dsn_in_the_place_of_an_engine_is_struck_out(command: tuple[str, ...]) -> None:
    done = sched_in_process(
        *command, "--engine", "postgresql://ops:hunter2@db/orders", environment={}
    )
    assert done.returncode == 2
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize("before", [(), ("engine",), ("migrate", "up"), ("engine", "--port")])
def test_a_dsn_where_none_belongs_is_struck_out(before: tuple[str, ...]) -> None:
    done = sched_in_process(*before, "postgresql://ops:hunter2@db/orders", environment={})
    assert done.returncode == 2
    assert "postgresql://ops:***@db/orders" in done.stderr or before[-1:] == ("--port",)
    assert "hunter2" not in done.stderr


# --- options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--grace", "inf"), "'inf' is no duration. Write"),
        (("--store-wait", "nan"), "error: --store-wait"),
        (("--store-wait", "-1"), "error: --store-wait"),
        (("--metrics-port", "70000"), "error: --metrics-port"),
    ],
)
def test_options_of_an_engine(options: tuple[str, ...], told: str) -> None:
    environment = {"SCHED_POSTGRES_DSN": "postgresql://127.0.0.1:1/x"}
    done = sched_in_process(*ENGINE, *options, environment=environment)
    assert done.returncode == 2, done.stderr
    assert told in done.stderr


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
@pytest.mark.parametrize("command", [ENGINE, ("dev", "--port", "0"), ("dev", "--ha")])
def test_a_host_that_is_not_ours(command: tuple[str, ...], host: str) -> None:
    environment = {"SCHED_POSTGRES_DSN": "postgresql://127.0.0.1:1/x"}
    done = sched_in_process(*command, "--host", host, environment=environment)
    assert_refused(done, 2, f"--host {host} is no address of this machine")


def test_variables_are_checked_like_options() -> None:
    environment = {"SCHED_POSTGRES_DSN": "postgresql://127.0.0.1:1/x"}
    done = sched_in_process(*ENGINE, environment={**environment, "SCHED_LOG_LEVEL": "loud"})
    assert_refused(done, 2, "SCHED_LOG_LEVEL is 'loud'", "one of debug, info")
    done = sched_in_process(*ENGINE, environment={**environment, "SCHED_HOST": "0.0.0.0"})
    assert_refused(done, 2, "add --advertise HOST:PORT")


# --- the wrong Postgres ---------------------------------------------------------------


async def test_an_old_postgres(postgres_dsn: str) -> None:
    """A proxy says what an old server would say first: its version."""
    async with pooled(postgres_dsn, keeps_sessions=True, server_version="14.9") as old:
        environment = {"SCHED_POSTGRES_DSN": old.dsn}
        for run, command in ((sched, ENGINE), (sched_in_process, ("migrate", "up"))):
            done = await asyncio.to_thread(run, *command, environment=environment)
            assert_refused(done, 2, "is Postgres 14; sched needs 15 or newer")


async def test_a_pooler_that_keeps_no_sessions(postgres_dsn: str) -> None:
    async with pooled(postgres_dsn) as pooler:
        environment = {"SCHED_POSTGRES_DSN": pooler.dsn}
        for run, command in (
            (sched, (*ENGINE, "--migrate")),
            (sched_in_process, ("migrate", "up")),
        ):
            done = await asyncio.to_thread(run, *command, environment=environment)
            assert_refused(done, 2, "a connection pooler in transaction mode", "session mode")


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        ("CREATE TABLE sched.jobs (id int); CREATE VIEW sched.due AS SELECT 1", "holds due, jobs"),
        ("CREATE TABLE sched.sched_migrations (installed_rank int)", "holds sched_migrations"),
    ],
)
def test_a_schema_of_another_program(postgres_database: str, statements: str, told: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f"CREATE SCHEMA sched; {statements}")
    environment = {"SCHED_POSTGRES_DSN": postgres_database}
    for command in (*COMMANDS, (*ENGINE, "--migrate")):
        done = sched_in_process(*command, environment=environment)
        assert_refused(done, 2, "is of another program", told, "rename that schema")


# --- clusters that meet ---------------------------------------------------------------


def test_two_lock_keys_on_one_database(postgres_database: str, tmp_path: Path) -> None:
    """Both would lead, and take the epoch from each other for ever."""
    with start_engine(tmp_path, postgres_database) as first:
        first.wait_for("leads, epoch 1")
        with start_engine(tmp_path, postgres_database, "--lock-key", "0x2a") as second:
            assert second.process.wait(timeout=60) == 2
        assert "error: postgres " in second.output
        assert "with the lock key 0x53636845644c6431; this engine has 0x2a" in second.output
        assert "Give all engines of a cluster the same --lock-key" in second.output
        assert "Traceback" not in second.output
        assert first.process.poll() is None
    assert "lost the leadership" not in first.output


# --- sched dev --ha -------------------------------------------------------------------


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter. Nobody else may enter pytest's, so for
    root the state would go elsewhere."""
    with tempfile.TemporaryDirectory(prefix="sched-test-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"PG_VERSION": "14\n"}, "is of Postgres 14, and sched dev --ha runs Postgres 18"),
        ({"thesis.txt": "mine"}, "is not of Postgres"),
        (None, "is no folder"),
    ],
)
def test_a_state_of_something_else(
    open_folder: Path, content: dict[str, str] | None, told: str
) -> None:
    data = open_folder / ".sched" / "ha" / "postgres"
    data.parent.mkdir(parents=True)
    if content is None:
        data.write_text("")
    else:
        data.mkdir()
        for name, text in content.items():
            (data / name).write_text(text)
    done = sched("dev", "--ha", "--port", "0", cwd=open_folder)
    assert_refused(done, 2, told, "Move it away")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("workflow", "list", "--limit", "0"), "'0' is too small; the least is 1."),
        (("workflow", "list", "--limit=many"), "'many' is no whole number."),
        (("dev", "--port", "70000"), "'70000' is too large; the most is 65535."),
        (("version", "-o", "xml"), "'xml' is not one of 'table', 'json', 'jsonl'."),
        (("init", "/proc/shop"), "/proc/shop cannot be made: "),
        (("workflow", "list", "--engine", "a:b"), "'a:b' is no engine address; write host:port"),
    ],
)
def test_a_value_is_named_with_its_limit(words: tuple[str, ...], told: str) -> None:
    done = sched_in_process(*words, environment={})
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Value error" not in done.stderr


def test_a_value_of_a_variable_is_named_with_it() -> None:
    done = sched_in_process("workflow", "list", environment={"SCHED_LIMIT": "0"})
    assert "'0' (of SCHED_LIMIT) is too small" in done.stderr


def test_the_version_as_everybody_asks_for_it_first() -> None:
    assert sched_in_process("--version", environment={}).stdout.startswith("sched ")

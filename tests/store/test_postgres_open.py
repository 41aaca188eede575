"""Opening a Postgres store: wrong DSNs, wrong servers, wrong schemas. Each is a
sentence with the next step, and none tells the password."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from psycopg import conninfo

from sched_server.leadership.postgres import PostgresLeadership
from sched_server.store.migration import Migration
from sched_server.store.port import StoreError, StoreUnavailableError, StoreVersionError
from sched_server.store.postgres import PostgresStore, migrate_database, schema
from sched_server.store.postgres.failures import check_version
from tests.servers.pooler import pooled
from tests.servers.postgres import PostgresServer
from tests.store.rows import lead, new_run


async def refusal(dsn: str, **options: Any) -> str:
    """Why the store does not open."""
    with pytest.raises(StoreError) as caught:
        await PostgresStore(dsn, **options).open()
    return str(caught.value)


# ---------------------------------------------------------------- the DSN


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"password": "hunter2"}, "it refused the password or the user 'postgres'"),
        ({"user": "nobody-here"}, "it refused the password or the user 'nobody-here'"),
        ({"dbname": "nowhere"}, "it has no database 'nowhere'; create it"),
        ({"port": 1}, "nothing listens there; start Postgres, or correct the DSN"),
        ({"host": "no-such-host.invalid"}, "the host's name is unknown"),
        ({"host": "/no/such/folder"}, "nothing listens there"),
        ({"sslmode": "require"}, "it does not speak TLS"),
    ],
)
async def test_a_wrong_dsn(
    postgres_server: PostgresServer, wrong: dict[str, Any], says: str
) -> None:
    parts = {"password": "hunter2", **wrong} if "dbname" not in wrong else wrong
    said = await refusal(conninfo.make_conninfo(postgres_server.dsn, **parts))
    assert says in said
    assert said.startswith("Cannot connect to postgres ")
    assert "\n" not in said
    assert "hunter2" not in said
    assert "secret-of-tests" not in said


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:hunter2@[::1/db",
        "host=db password=hunter2 colour=red",
        "postgresql://me:100%hunter2@host/db",
        "hunter2",
    ],
)
def test_a_dsn_that_cannot_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises(StoreUnavailableError, match="cannot be read") as caught:
        PostgresStore(dsn)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "Sched", "a b", 'x"; DROP SCHEMA y', "1st", "x" * 64])
def test_a_schema_name_that_needs_quotes_is_refused(name: str) -> None:
    with pytest.raises(StoreUnavailableError, match="cannot be the name of a schema"):
        PostgresStore("host=localhost", schema=name)


async def test_an_address_that_does_not_answer_is_given_up(postgres_dsn: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        said = await refusal(conninfo.make_conninfo(postgres_dsn, port=port, connect_timeout=2))
    assert "it does not answer; check the network" in said


def test_the_description_names_the_server_only() -> None:
    store = PostgresStore("postgresql://me:hunter2@db.example:6000/orders?sslmode=require")
    assert store.description == "postgres db.example:6000/orders"


# ---------------------------------------------------------------- the server


def test_an_old_server_is_refused() -> None:
    check_version(150000, "postgres db")
    with pytest.raises(
        StoreVersionError, match="postgres db is Postgres 14; sched needs 15 or newer"
    ):
        check_version(140011, "postgres db")


async def test_an_old_server_is_refused_before_it_is_told_anything(postgres_dsn: str) -> None:
    async with pooled(postgres_dsn, keeps_sessions=True, server_version="14.11") as old:
        assert "is Postgres 14; sched needs 15 or newer" in await refusal(old.dsn)


async def test_a_pooler_in_transaction_mode_is_refused(postgres_dsn: str) -> None:
    async with pooled(postgres_dsn) as pooler:
        said = await refusal(pooler.dsn)
    assert "is a connection pooler in transaction mode" in said
    assert "pool_mode=session" in said


async def test_a_pooler_that_keeps_sessions_is_fine(
    postgres_dsn: str, postgres_schema: str
) -> None:
    async with pooled(postgres_dsn, keeps_sessions=True) as pooler:
        store = PostgresStore(pooler.dsn, schema=postgres_schema, migrate=True)
        await store.open()
        await (await lead(store)).write(new_run(1))
        assert await store.read_run(1) is not None
        await store.close()


async def test_a_database_that_takes_no_writes_is_refused(
    postgres_dsn: str, postgres_schema: str
) -> None:
    await migrate_database(postgres_dsn, schema=postgres_schema)
    dsn = conninfo.make_conninfo(postgres_dsn, options="-c default_transaction_read_only=on")
    assert "takes no writes: it is a replica" in await refusal(dsn, schema=postgres_schema)


async def test_a_database_of_another_encoding_is_refused(postgres_dsn: str) -> None:
    name = "sched_test_latin1"
    async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as admin:
        await admin.execute(f"DROP DATABASE IF EXISTS {name}")
        await admin.execute(f"CREATE DATABASE {name} ENCODING latin1 TEMPLATE template0")
        try:
            dsn = conninfo.make_conninfo(postgres_dsn, dbname=name)
            assert "stores text as LATIN1" in await refusal(dsn)
        finally:
            await admin.execute(f"DROP DATABASE {name}")


async def test_a_session_does_not_depend_on_what_others_have_set(
    postgres_dsn: str, postgres_schema: str
) -> None:
    careless = (
        "-c synchronous_commit=off -c default_transaction_isolation=serializable "
        "-c statement_timeout=900 -c search_path=public -c jit=on"
    )
    dsn = conninfo.make_conninfo(postgres_dsn, options=careless)
    store = PostgresStore(dsn, schema=postgres_schema, migrate=True)
    await store.open()
    connection = store._writer._connection
    assert connection is not None
    wanted = {
        "synchronous_commit": "on",
        "transaction_isolation": "read committed",
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "search_path": f'"{postgres_schema}"',
        "jit": "off",
    }
    for name, value in wanted.items():
        row = await (await connection.execute(f"SHOW {name}")).fetchone()
        assert row == (value,), name
    await store.close()


async def test_fsync_off_is_said_once(
    postgres_dsn: str, postgres_schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with await psycopg.AsyncConnection.connect(postgres_dsn, autocommit=True) as admin:
        row = await (await admin.execute("SHOW fsync")).fetchone()
    store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
    # A lock key of its own: locks are of the whole database.
    leadership = PostgresLeadership(
        postgres_dsn, address="here:1", schema=postgres_schema, lock_key=0x66_73_79_6E_63
    )
    with caplog.at_level(logging.WARNING, "sched"):
        await store.open()
        await leadership.campaign()
    warnings = store.warnings
    await leadership.resign()
    await store.close()
    expected = 1 if row == ("off",) else 0
    assert len(warnings) == expected
    assert caplog.text.count("fsync is switched off") == expected, "once, not by every session"


# ---------------------------------------------------------------- the schema


async def test_an_empty_database_says_what_to_do(postgres_dsn: str, postgres_schema: str) -> None:
    said = await refusal(postgres_dsn, schema=postgres_schema)
    latest = len(schema.known_migrations())
    wanted = f"has no sched schema yet; this sched needs version {latest}. Run `sched migrate up`"
    assert wanted in said


async def test_an_older_schema_says_what_to_do(
    postgres_dsn: str, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate_database(postgres_dsn, schema=postgres_schema)
    latest = len(schema.known_migrations())
    newer = [*schema.known_migrations(), step(latest + 1)]
    monkeypatch.setattr(schema, "known_migrations", lambda: newer)
    said = await refusal(postgres_dsn, schema=postgres_schema)
    assert f"has schema version {latest}; this sched needs version {latest + 1}. Run" in said


async def test_a_newer_schema_is_refused(postgres_dsn: str, postgres_schema: str) -> None:
    latest = len(schema.known_migrations())
    newer = [*schema.known_migrations(), step(latest + 1)]
    await migrate_database(postgres_dsn, schema=postgres_schema, known=newer)
    for migrate in (False, True):
        said = await refusal(postgres_dsn, schema=postgres_schema, migrate=migrate)
        assert f"was written by a newer sched: its schema version is {latest + 1}, this" in said


async def test_opening_twice_is_an_error_of_the_caller(
    postgres_dsn: str, postgres_schema: str
) -> None:
    store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
    await store.open()
    with pytest.raises(RuntimeError, match="open already"):
        await store.open()
    await store.close()


async def test_a_refused_store_may_be_opened_later(postgres_dsn: str, postgres_schema: str) -> None:
    store = PostgresStore(postgres_dsn, schema=postgres_schema)
    with pytest.raises(StoreVersionError):
        await store.open()
    await migrate_database(postgres_dsn, schema=postgres_schema)
    await store.open()
    await (await lead(store)).write(new_run(1))
    await store.close()


def test_sqlite_alone_loads_no_postgres_driver() -> None:
    code = (
        "import sys, sched_server.server, sched_cli.main; "
        "sys.exit(bool({'psycopg', 'psycopg_pool'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def step(version: int) -> Migration:
    """A migration that this sched does not come with."""
    return Migration(
        version=version,
        name="more",
        up="CREATE TABLE more (id integer); CREATE INDEX more_ids ON more (id);",
        down="DROP TABLE more;",
        checksum="c" * 64,
    )

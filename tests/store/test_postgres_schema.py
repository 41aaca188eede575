"""Migrations on Postgres, and what people see in psql."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from msgspec import structs

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_server.store.migration import Migration, MigrationFailedError
from sched_server.store.port import StoreVersionError
from sched_server.store.postgres import PostgresMigrator, PostgresStore, migrate_database, schema
from tests.store.rows import (
    COMPLETED,
    START_US,
    change,
    event_ids,
    lead,
    new_run,
    task,
    with_tasks,
    with_timers,
)
from tests.store.test_postgres_open import step

INVENTORY = (
    """SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default,
        collation_name FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, 3""",
    "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = %s ORDER BY indexname",
    "SELECT viewname, definition FROM pg_views WHERE schemaname = %s ORDER BY 1",
    """SELECT relname, reloptions FROM pg_class
        WHERE relnamespace = %s::regnamespace AND relkind = 'r' ORDER BY 1""",
    """SELECT proname, prosrc, pg_get_function_result(oid) FROM pg_proc
        WHERE pronamespace = %s::regnamespace ORDER BY 1""",
)


@pytest.fixture
async def admin(postgres_dsn: str, postgres_schema: str) -> AsyncIterator[Any]:
    async with await psycopg.AsyncConnection.connect(
        postgres_dsn, autocommit=True, options=f"-c search_path={postgres_schema}"
    ) as connection:
        yield connection


def labels() -> list[str]:
    """The migrations that there are."""
    return [one.label for one in schema.known_migrations()]


async def everything_in(admin: psycopg.AsyncConnection, postgres_schema: str) -> list[Any]:
    """Tables, columns, constraints, indexes, views and functions."""
    found: list[Any] = []
    for query in INVENTORY:
        found += await (await admin.execute(query, [postgres_schema])).fetchall()
    return found


async def test_up_down_up_gives_the_same_schema(
    postgres_dsn: str, postgres_schema: str, admin: psycopg.AsyncConnection
) -> None:
    await migrate_database(postgres_dsn, schema=postgres_schema)
    before = await everything_in(admin, postgres_schema)
    assert len(before) > 50

    down = await migrate_database(postgres_dsn, schema=postgres_schema, target=0)
    assert [(one.migration.label, one.up) for one in down] == [
        (label, False) for label in reversed(labels())
    ]
    left = {row[0] for row in await everything_in(admin, postgres_schema)}
    assert left == {"sched_migrations"}

    await migrate_database(postgres_dsn, schema=postgres_schema)
    assert await everything_in(admin, postgres_schema) == before


async def test_data_survives_a_migration_up_and_down(
    postgres_dsn: str, postgres_schema: str
) -> None:
    store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
    await store.open()
    await (await lead(store)).write(new_run(1, events=3))
    await store.close()

    latest = len(labels())
    known = [*schema.known_migrations(), step(latest + 1)]
    await migrate_database(postgres_dsn, schema=postgres_schema, known=known)
    await migrate_database(postgres_dsn, schema=postgres_schema, known=known, target=latest)
    await store.open()
    assert await event_ids(store, 1) == [1, 2, 3]
    await store.close()


async def test_looking_changes_nothing(postgres_dsn: str, postgres_schema: str) -> None:
    migrator = PostgresMigrator(postgres_dsn, schema_name=postgres_schema)
    assert [one.migration.label for one in await migrator.plan()] == labels()
    assert (await migrator.status()).version == 0
    await migrator.migrate()
    assert await migrator.plan() == []
    assert (await migrator.status()).version == len(labels())


async def test_many_that_migrate_together_do_it_once(
    postgres_dsn: str, postgres_schema: str
) -> None:
    taken = await asyncio.gather(
        *(migrate_database(postgres_dsn, schema=postgres_schema) for _ in range(5))
    )
    assert sorted(len(steps) for steps in taken) == [0, 0, 0, 0, len(labels())]


async def test_a_step_that_fails_leaves_nothing_behind(
    postgres_dsn: str, postgres_schema: str, admin: psycopg.AsyncConnection
) -> None:
    known = schema.known_migrations()
    await migrate_database(postgres_dsn, schema=postgres_schema)
    before = await everything_in(admin, postgres_schema)
    latest = len(labels())
    broken = structs.replace(step(latest + 1), up="CREATE TABLE half (id integer); SELECT 1 / 0;")
    with pytest.raises(MigrationFailedError, match=r"_more\.up\.sql failed.*division by zero"):
        await migrate_database(postgres_dsn, schema=postgres_schema, known=[*known, broken])
    assert await everything_in(admin, postgres_schema) == before
    found = await PostgresMigrator(postgres_dsn, schema_name=postgres_schema).status()
    assert (found.version, found.problem) == (latest, "")


async def test_edited_files_are_refused(postgres_dsn: str, postgres_schema: str) -> None:
    await migrate_database(postgres_dsn, schema=postgres_schema)
    edited: list[Migration] = [
        structs.replace(one, checksum="0" * 64) for one in schema.known_migrations()
    ]
    with pytest.raises(StoreVersionError, match="another 0001_initial"):
        await migrate_database(postgres_dsn, schema=postgres_schema, known=edited)


async def test_a_schema_made_by_the_administrator_is_used(
    postgres_dsn: str, postgres_schema: str, admin: psycopg.AsyncConnection
) -> None:
    await admin.execute(f"CREATE SCHEMA {postgres_schema}")
    taken = await migrate_database(postgres_dsn, schema=postgres_schema)
    assert [one.migration.label for one in taken] == labels()


# ---------------------------------------------------------------- for people


async def test_every_event_type_and_status_has_its_name(
    postgres_dsn: str, postgres_schema: str, admin: psycopg.AsyncConnection
) -> None:
    """A new one needs a migration that names it."""
    await migrate_database(postgres_dsn, schema=postgres_schema)

    async def named(table: str, column: str) -> dict[int, str]:
        found = await admin.execute(f"SELECT {column}, name FROM {table}")
        return dict(await found.fetchall())

    types = {
        number: name.removeprefix("EVENT_TYPE_").title().replace("_", "")
        for name, number in history_pb2.EventType.items()
        if number
    }
    statuses = {
        number: name.removeprefix("WORKFLOW_STATUS_")
        for name, number in common_pb2.WorkflowStatus.items()
        if number
    }
    assert await named("event_types", "type") == types
    assert await named("statuses", "status") == statuses


async def test_the_views_show_names_and_times(
    postgres_dsn: str, postgres_schema: str, admin: psycopg.AsyncConnection
) -> None:
    store = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
    await store.open()
    leader = await lead(store)
    await leader.write(
        with_timers(with_tasks(new_run(1, "wf-a"), task(1, 2)), (1, 3, START_US)),
        new_run(2, "wf-b"),
    )
    await leader.write(
        change(1, 1, details="so far"),
        change(2, 1, [b"end"], closed_status=COMPLETED, closed_us=START_US + 5),
    )
    await store.close()

    async def rows(query: str) -> list[Any]:
        return await (await admin.execute(query)).fetchall()

    began = datetime.fromtimestamp(START_US // 1_000_000, UTC)
    assert await rows(
        "SELECT run_id, event_id, type, time, bytes FROM history WHERE workflow_id = 'wf-a'"
    ) == [("run-1", 1, "WorkflowStarted", began.replace(microsecond=1), 5)]
    assert await rows(
        "SELECT workflow_id, status, started, closed, events, details FROM executions "
        "ORDER BY run_key"
    ) == [
        ("wf-a", "RUNNING", began.replace(microsecond=1), None, 1, "so far"),
        ("wf-b", "COMPLETED", began.replace(microsecond=2), began.replace(microsecond=5), 2, None),
    ]
    assert await rows("SELECT workflow_id, kind, name, ready FROM pending_tasks") == [
        ("wf-a", "activity", "send_email", True)
    ]
    assert await rows("SELECT workflow_id, seq, due FROM pending_timers") == [("wf-a", 3, began)]


async def test_who_looks_while_another_migrates_takes_it_for_no_other_program(
    postgres_dsn: str, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = schema.fetch

    async def slowly(connection: Any, query: Any, *arguments: Any) -> Any:
        if query == schema.sql.FOREIGN_RELATIONS:
            monkeypatch.undo()
            other = PostgresStore(postgres_dsn, schema=postgres_schema, migrate=True)
            await other.open()
            await other.close()
        return await fetch(connection, query, *arguments)

    monkeypatch.setattr(schema, "fetch", slowly)
    store = PostgresStore(postgres_dsn, schema=postgres_schema)
    await store.open()
    await store.close()
    assert schema.fetch is fetch, "the other came in between"

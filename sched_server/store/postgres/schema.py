"""The schema of a database: what is applied, and the migration runner.

Everything lives in one schema of its own, "sched" unless told otherwise, so
that a database may be shared with an application. What is applied stands in
`sched_migrations` there, written in the transaction of each migration. An
advisory lock lets one program at a time migrate a database; others wait and
then find nothing to do.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg
from psycopg.types.numeric import Int8

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
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.connection import (
    DEFAULT_SCHEMA,
    Connector,
    SessionLimits,
    fetch,
    fetch_one,
)
from sched_server.store.postgres.failures import driver_message, is_broken, store_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from psycopg import AsyncConnection

__all__ = [
    "applied_migrations",
    "check_schema",
    "known_migrations",
    "migrate_database",
    "migration_session",
]

MIGRATION_LOCK = 0x53636845644D6967

# A migration may rewrite a large table; it waits for locks of others a minute.
_LIMITS = SessionLimits(statement_s=0, lock_s=60)


def known_migrations() -> list[Migration]:
    """The migrations that come with this version of sched."""
    return load_migrations(migrations_directory("postgres"))


async def migrate_database(
    dsn: str,
    *,
    schema: str = DEFAULT_SCHEMA,
    target: int | None = None,
    known: Sequence[Migration] | None = None,
) -> list[MigrationStep]:
    """Bring a database to version `target` (default: the newest known), up or
    down, each step in a transaction. Returns the steps.

    Raises StoreVersionError for a database that is newer than `known` or was made
    by other files, StoreUnavailableError, MigrationFailedError for a script that
    the server refuses, and ValueError for a target that does not exist.
    """
    known = known_migrations() if known is None else known
    connector = Connector(dsn, schema=schema)
    async with migration_session(connector) as connection:
        await connector.check_server(connection)
        await connection.execute(sql.LOCK_MIGRATIONS, [Int8(MIGRATION_LOCK)])
        try:
            return await _migrate(connection, connector, known, target)
        finally:
            if not connection.closed:
                await connection.execute(sql.UNLOCK_MIGRATIONS, [Int8(MIGRATION_LOCK)])


async def check_schema(connection: AsyncConnection, connector: Connector) -> None:
    """Refuse a database whose schema is not of this version.

    Raises StoreVersionError, which says what to do.
    """
    applied = await applied_migrations(connection, connector)
    known = known_migrations()
    if plan_migrations(known, applied, store=connector.description):
        state = f"has schema version {len(applied)}" if applied else "has no sched schema yet"
        raise StoreVersionError(
            f"{connector.description} {state}; this sched needs version {len(known)}. "
            "Run `sched migrate up`, or start the engine with --migrate."
        )


async def applied_migrations(
    connection: AsyncConnection, connector: Connector
) -> list[AppliedMigration]:
    """What is applied, in order; nothing if there is no schema."""
    table = f'"{connector.schema}".sched_migrations'
    found = await fetch_one(connection, sql.FIND_MIGRATIONS, [table])
    if found is None or not found[0]:
        return []
    return [AppliedMigration(*row) for row in await fetch(connection, sql.READ_MIGRATIONS)]


async def _migrate(
    connection: AsyncConnection,
    connector: Connector,
    known: Sequence[Migration],
    target: int | None,
) -> list[MigrationStep]:
    applied = await applied_migrations(connection, connector)
    steps = plan_migrations(known, applied, store=connector.description, target=target)
    if steps and not applied:
        await _create_schema(connection, connector)
    for step in steps:
        try:
            async with connection.transaction():
                await _take(connection, step)
        except psycopg.Error as error:
            if is_broken(error, connection):
                raise
            reason = driver_message(error, connector.parts)
            raise MigrationFailedError(step, connector.description, reason) from error
    return steps


async def _create_schema(connection: AsyncConnection, connector: Connector) -> None:
    """A role that may not create schemas can be given an empty one of its own."""
    exists = await fetch_one(connection, sql.FIND_SCHEMA, [connector.schema])
    if exists is None:
        await connection.execute(f'CREATE SCHEMA "{connector.schema}"')


async def _take(connection: AsyncConnection, step: MigrationStep) -> None:
    migration = step.migration
    await connection.execute(sql.CREATE_MIGRATIONS)
    # Without parameters a script may hold many statements.
    async with psycopg.AsyncClientCursor(connection) as cursor:
        await cursor.execute(step.script.encode())
    if step.up:
        row = [Int8(migration.version), migration.name, migration.checksum]
        await connection.execute(sql.INSERT_MIGRATION, row)
    else:
        await connection.execute(sql.DELETE_MIGRATION, [Int8(migration.version)])


@asynccontextmanager
async def migration_session(connector: Connector) -> AsyncIterator[AsyncConnection]:
    """A connection for looking at the schema, or changing it. Raises StoreError."""
    connection = await connector.connect("sched migrate", limits=_LIMITS)
    try:
        yield connection
    except psycopg.Error as error:
        raise store_error(error, connector.parts) from error
    finally:
        await connection.close()

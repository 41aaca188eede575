"""The schema of a database: what is applied, and the migration runner.

Everything lives in one schema of its own, "sched" unless told otherwise, so
that a database may be shared with an application. What is applied stands in
`sched_migrations` there, written in the transaction of each migration. An
advisory lock lets one program at a time migrate a database; others wait, say
for whom, and then find nothing to do.
"""

from __future__ import annotations

import asyncio
import logging
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
from sched_server.store.port import StoreUnavailableError, StoreVersionError
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.connection import (
    DEFAULT_SCHEMA,
    Connector,
    SessionLimits,
    fetch,
    fetch_one,
)
from sched_server.store.postgres.failures import driver_message, is_broken, store_error
from sched_server.store.postgres.pooler import check_sessions

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

logger = logging.getLogger("sched.store")

MIGRATION_LOCK = 0x53636845644D6967
MIGRATION_WAIT_S = 60.0
"""How long another program may take to migrate, unless told otherwise."""

_LOOK_EVERY_S = 0.05
# Replicas that start together wait for each other; a moment is not worth a word.
_SAY_AFTER_S = 1.0

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
    wait_s: float = MIGRATION_WAIT_S,
) -> list[MigrationStep]:
    """Bring a database to version `target` (default: the newest known), up or
    down, each step in a transaction. Returns the steps.

    Raises StoreVersionError for a database that is newer than `known` or was made
    by other files, StoreUnavailableError if another program still migrates it after
    `wait_s` or the server is away, MigrationFailedError for a script that the
    server refuses, and ValueError for a target that does not exist.
    """
    known = known_migrations() if known is None else known
    connector = Connector(dsn, schema=schema)
    async with migration_session(connector) as connection:
        await connector.check_server(connection)
        await _lock(connection, connector, wait_s)
        try:
            return await _migrate(connection, connector, known, target)
        finally:
            if not connection.closed:
                await connection.execute(sql.UNLOCK_MIGRATIONS, [Int8(MIGRATION_LOCK)])


async def _lock(connection: AsyncConnection, connector: Connector, wait_s: float) -> None:
    clock = asyncio.get_running_loop().time
    began, said = clock(), False
    while not await _locked(connection):
        holder = await fetch_one(connection, sql.MIGRATING_SESSION, [Int8(MIGRATION_LOCK)])
        if holder is None:
            continue  # free again
        who = f"session {holder[0]} ({holder[1] or 'no name'})"
        waited_s = clock() - began
        if waited_s >= wait_s:
            raise StoreUnavailableError(
                f"{connector.description} is still being migrated by {who}, after {wait_s:g} s. "
                "Try again when that has ended; if it hangs, end it with "
                f"SELECT pg_terminate_backend({holder[0]})."
            )
        if waited_s >= _SAY_AFTER_S and not said:
            said = True
            logger.warning(
                "%s is being migrated by %s; waiting for it, up to %g s",
                connector.description,
                who,
                wait_s,
            )
        await asyncio.sleep(min(_LOOK_EVERY_S, wait_s - waited_s))
    if said:
        logger.warning("%s: the other migration has ended, going on", connector.description)


async def _locked(connection: AsyncConnection) -> bool:
    row = await fetch_one(connection, sql.LOCK_MIGRATIONS, [Int8(MIGRATION_LOCK)])
    return row is not None and bool(row[0])


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
    """What is applied, in order; nothing if there is no schema, or an empty one.

    Raises StoreVersionError for a schema of something else.
    """
    applied = await _recorded(connection, connector)
    if applied or not (
        foreign := await fetch(connection, sql.FOREIGN_RELATIONS, [connector.schema])
    ):
        return applied
    # Another engine may have made them since; then it has recorded them with them.
    applied = await _recorded(connection, connector)
    if not applied:
        raise _foreign(connector, [name for (name,) in foreign])
    return applied


async def _recorded(connection: AsyncConnection, connector: Connector) -> list[AppliedMigration]:
    table = f'"{connector.schema}".sched_migrations'
    found = await fetch_one(connection, sql.FIND_MIGRATIONS, [table])
    if found is None or not found[0]:
        return []
    try:
        rows = await fetch(connection, sql.READ_MIGRATIONS)
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise _foreign(connector, ["sched_migrations"]) from error
    return [AppliedMigration(*row) for row in rows]


def _foreign(connector: Connector, relations: Sequence[str]) -> StoreVersionError:
    names = ", ".join(relations[:3]) + (", …" if len(relations) > 3 else "")
    return StoreVersionError(
        f"The schema {connector.schema!r} of {connector.description} is of another program: it "
        f"holds {names}. Use a database of its own for sched, or rename that schema."
    )


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
    """A connection for looking at the schema, or changing it. Raises StoreError.

    The lock that keeps others out is one of the session, and statements are prepared
    in it, so a proxy that keeps no sessions is refused first.
    """
    await check_sessions(connector)
    connection = await connector.connect("sched migrate", limits=_LIMITS)
    try:
        yield connection
    except psycopg.Error as error:
        raise store_error(error, connector.parts) from error
    finally:
        await connection.close()

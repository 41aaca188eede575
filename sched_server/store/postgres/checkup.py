"""What a person should know of a Postgres before it is trusted with work.

Only facts; what is good or bad about them is for whoever shows them. Reads the
statistics that the server keeps anyway, so it may be run on a busy one.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psycopg
from msgspec import Struct
from psycopg.types.numeric import Float8

from sched_server.store.port import StoreVersionError
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.connection import DEFAULT_SCHEMA, Connector, fetch, fetch_one
from sched_server.store.postgres.failures import store_error
from sched_server.store.postgres.pooler import check_sessions
from sched_server.store.postgres.schema import check_schema

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import AsyncConnection

__all__ = ["ConnectionCount", "LongTransaction", "PostgresFacts", "TableSize", "examine"]

LOCKED_S = 30.0
"""How long a transaction may hold locks on our tables before it is told."""
OPEN_S = 600.0
"""The same for one without: it keeps vacuum from removing what is dead."""


class ConnectionCount(Struct, frozen=True):
    """How many connections are taken of those that there may be."""

    of: str
    """ "the server", "role sched" or "database sched"."""
    taken: int
    allowed: int


class LongTransaction(Struct, frozen=True):
    """A transaction that has been open for long."""

    pid: int
    application: str
    state: str
    seconds: float
    tables: tuple[str, ...]
    """Those of ours on which it holds locks."""
    keeps_writers_out: bool


class TableSize(Struct, frozen=True):
    """One of our tables, as the statistics know it."""

    name: str
    rows: int
    dead_rows: int
    size_bytes: int
    """With its indexes."""
    vacuumed: datetime | None


class PostgresFacts(Struct, frozen=True, kw_only=True):
    """One look at a server, and at our schema in it."""

    description: str
    version: str
    clock_ahead_s: float
    """How far its clock is ahead of this machine's."""
    clock_doubt_s: float
    """How far that may be off."""
    autovacuum: bool
    warnings: tuple[str, ...]
    """What works but should be set otherwise, each with its remedy."""
    schema: str
    """What is wrong with our schema; empty when nothing is."""
    connections: tuple[ConnectionCount, ...]
    transactions: tuple[LongTransaction, ...]
    """The oldest first."""
    tables: tuple[TableSize, ...]


async def examine(dsn: str, *, schema: str = DEFAULT_SCHEMA) -> PostgresFacts:
    """Look at a server.

    Raises StoreError when it cannot be looked at, or cannot hold a store: it is
    away, too old, a replica, or a pooler that keeps no sessions.
    """
    connector = Connector(dsn, schema=schema)
    await check_sessions(connector)
    connection = await connector.connect("sched doctor")
    try:
        return await _examine(connector, connection)
    except psycopg.Error as error:
        raise store_error(error, connector.parts) from error
    finally:
        await connection.close()


async def _examine(connector: Connector, connection: AsyncConnection) -> PostgresFacts:
    warnings = await connector.check_server(connection)
    await fetch_one(connection, sql.READ_SERVER)  # prepared, so that the next is quick
    before_us = time.time_ns() // 1_000
    server = await fetch_one(connection, sql.READ_SERVER)
    after_us = time.time_ns() // 1_000
    assert server is not None
    version, server_us, autovacuum = server
    limits = (Float8(LOCKED_S), Float8(OPEN_S))
    long = await fetch(connection, sql.LONG_TRANSACTIONS, [connector.schema, *limits])
    return PostgresFacts(
        description=connector.description,
        version=version.split()[0],
        clock_ahead_s=(server_us - (before_us + after_us) / 2) / 1_000_000,
        clock_doubt_s=(after_us - before_us) / 2_000_000,
        autovacuum=autovacuum,
        warnings=warnings,
        schema=await _schema_trouble(connector, connection),
        connections=tuple(
            ConnectionCount(*row) for row in await fetch(connection, sql.COUNT_CONNECTIONS)
        ),
        transactions=tuple(
            LongTransaction(pid, name, state, seconds, tuple(tables), keeps_out)
            for pid, name, state, seconds, tables, keeps_out in long
        ),
        tables=tuple(
            TableSize(*row) for row in await fetch(connection, sql.TABLE_SIZES, [connector.schema])
        ),
    )


async def _schema_trouble(connector: Connector, connection: AsyncConnection) -> str:
    try:
        await check_schema(connection, connector)
    except StoreVersionError as error:
        return str(error)
    return ""

"""Is there a proxy in between that hands our sessions around?

Leadership is an advisory lock of a session, and prepared statements and
settings belong to sessions as well. A pooler in transaction mode gives each
transaction another session, so nothing of that would hold.

A proxy shows by the process id: the server tells a client its own at the start,
and a proxy makes one up. A proxy that pools whole sessions is fine, so there
is a second test: while another connection keeps a transaction open, ours must
still be served by the process that served it before. A pooler that shares
sessions gives the free one to whoever comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from sched_server.store.port import StoreRefusedError
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.failures import store_error

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    from sched_server.store.postgres.connection import Connector

__all__ = ["PoolerError", "check_sessions"]

_ROUNDS = 5


class PoolerError(StoreRefusedError):
    """The DSN names a pooler that keeps no sessions; trying again does not help."""


async def check_sessions(connector: Connector) -> None:
    """Refuse a proxy that does not keep sessions.

    Raises PoolerError, and StoreUnavailableError if there is no connection, or none
    any more.
    """
    connection = await connector.connect_raw()
    try:
        if await _served_by(connection) == connection.info.backend_pid:
            return
        for _ in range(_ROUNDS):
            if await _is_moved(connector, connection):
                raise PoolerError(
                    f"{connector.description} is a connection pooler in transaction mode, which "
                    "breaks the locks that decide who leads. Name the Postgres server itself in "
                    "the DSN, or a pool in session mode (pgbouncer: pool_mode=session)."
                )
    except psycopg.Error as error:
        raise store_error(error, connector.parts) from error
    finally:
        await connection.close()


async def _is_moved(connector: Connector, connection: AsyncConnection) -> bool:
    before = await _served_by(connection)
    other = await connector.connect_raw()
    try:
        async with other.transaction():
            await _served_by(other)
            return await _served_by(connection) != before
    finally:
        await other.close()


async def _served_by(connection: AsyncConnection) -> int:
    # By its text each time: a name prepared in one session is unknown in another.
    async with connection.cursor() as cursor:
        await cursor.execute(sql.BACKEND_PID, prepare=False)
        row = await cursor.fetchone()
    assert row is not None
    return int(row[0])

"""Reading beside the session that has the lock, or waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg

from sched_server.store.port import StoreUnavailableError
from sched_server.store.postgres.connection import SessionLimits, fetch
from sched_server.store.postgres.failures import is_broken, store_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from sched_server.store.postgres.connection import Connector

__all__ = ["Observer"]

_LIMITS = SessionLimits(statement_s=5, lock_s=5)


class Observer:
    """A connection that is made when it is needed, for one question at a time."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def ask(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Raises StoreUnavailableError, also once it is closed."""
        async with self._turn:
            if self._closed:
                raise StoreUnavailableError("The candidacy was given up.")
            for last_try in (False, True):
                if self._connection is None:
                    self._connection = await self._connector.connect(
                        "sched observer", limits=_LIMITS
                    )
                try:
                    return await fetch(self._connection, statement, parameters)
                except psycopg.Error as error:
                    broken = is_broken(error, self._connection)
                    await self._drop()
                    if last_try or not broken:
                        raise store_error(error, self._connector.parts) from error
            raise AssertionError("unreachable")

    async def close(self) -> None:
        self._closed = True
        async with self._turn:
            await self._drop()

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

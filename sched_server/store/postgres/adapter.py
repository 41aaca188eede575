"""The store port on Postgres.

One connection commits (`writer.py`), a small pool reads. Reads that find their
connection broken are tried again, because they repeat nothing; commits find
out what happened first.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from sched_server.store.port import Store, StoreUnavailableError
from sched_server.store.postgres import read
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.connection import (
    DEFAULT_SCHEMA,
    Connector,
    SessionLimits,
    fetch_one,
)
from sched_server.store.postgres.failures import is_broken, passes, store_error
from sched_server.store.postgres.pooler import check_sessions
from sched_server.store.postgres.schema import MIGRATION_WAIT_S, check_schema, migrate_database
from sched_server.store.postgres.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from psycopg import AsyncConnection

    from sched_server.store.port import (
        CommitBatch,
        EventMark,
        EventRow,
        RunFilter,
        RunRow,
        StoreLease,
        TaskKey,
        TaskRow,
        TimerRow,
    )

T = TypeVar("T")
P = ParamSpec("P")

logger = logging.getLogger("sched.store")

_READ_TRIES = 3

_RECONNECT_S = 5.0
"""After so long the pool gives a connection up. The next read begins a new one at
once, where the pool itself would pause for as long as the server was away."""


class PostgresStore(Store):
    """A store in one schema of a Postgres database, shared by the engines of a cluster.

    `dsn` is a URL or libpq's "host=… dbname=…". `migrate` lets `open` bring the
    schema up to date; without it, an older schema is refused. If another program
    migrates, it is waited for, up to `migration_wait_s`. `readers` is how many
    connections read at the same time. `statement_s` and `lock_s` bound what the
    server spends on one statement and on waiting for a lock, in seconds.

    Raises StoreRefusedError if the DSN cannot be read.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = DEFAULT_SCHEMA,
        migrate: bool = False,
        migration_wait_s: float = MIGRATION_WAIT_S,
        readers: int = 4,
        statement_s: float = 10.0,
        lock_s: float = 5.0,
    ) -> None:
        self._dsn = dsn
        self._connector = Connector(dsn, schema=schema)
        self._migrate = migrate
        self._migration_wait_s = migration_wait_s
        self._readers = readers
        self._limits = SessionLimits(statement_s=statement_s, lock_s=lock_s)
        self._writer = Writer(self._connector, statement_s=statement_s, lock_s=lock_s)
        self.cluster_id = ""
        self._pool: AsyncConnectionPool[AsyncConnection] | None = None
        self._under_way: set[asyncio.Task[Any]] = set()
        self._warnings: tuple[str, ...] = ()
        self._trouble = ""

    @property
    def description(self) -> str:
        return self._connector.description

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._warnings

    @property
    def trouble(self) -> str:
        return self._trouble

    async def open(self) -> None:
        if self._pool is not None:
            raise RuntimeError(f"{self.description} is open already.")
        if self._migrate:
            await migrate_database(
                self._dsn, schema=self._connector.schema, wait_s=self._migration_wait_s
            )
        else:
            await check_sessions(self._connector)
        try:
            connection = await self._writer.open()
            self._warnings = await self._connector.check_server(connection)
            await check_schema(connection, self._connector)
            row = await fetch_one(connection, sql.READ_CLUSTER_ID)
            assert row is not None
            self.cluster_id = row[0]
            await self._open_pool()
        except BaseException as error:
            await self._writer.close()
            if isinstance(error, psycopg.Error):
                raise store_error(error, self._connector.parts) from error
            raise
        for warning in self._warnings:
            logger.warning("%s: %s", self.description, warning)

    async def _open_pool(self) -> None:
        pool = AsyncConnectionPool(
            kwargs=self._connector.keywords(),
            configure=self._configure,
            open=False,
            min_size=1,
            max_size=self._readers,
            timeout=self._limits.statement_s,
            reconnect_timeout=_RECONNECT_S,
            name="sched-readers",
        )
        try:
            await pool.open(wait=True)
        except Exception as error:
            await pool.close()
            raise store_error(error, self._connector.parts) from error
        self._pool = pool

    async def _configure(self, connection: AsyncConnection) -> None:
        await self._connector.configure(connection, "sched reader", self._limits)

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        self._writer.hurry()
        if self._under_way:
            await asyncio.wait(self._under_way)
        await self._writer.close()
        if pool is not None:
            await pool.close()

    async def acquire(self, shard_group: int, address: str) -> StoreLease:
        lease = await self._write(self._writer.acquire(shard_group, address))
        self._trouble = ""  # of a term that is over
        return lease

    async def advance_clock(self, shard_group: int, epoch: int, advanced_us: int) -> None:
        await self._write(self._writer.advance_clock(shard_group, epoch, advanced_us))

    async def commit(self, batch: CommitBatch) -> list[bool]:
        try:
            applied = await self._write(self._writer.commit(batch))
        except StoreUnavailableError as error:
            self._trouble = str(error)
            raise
        self._trouble = ""
        return applied

    async def read_run(self, run_key: int) -> RunRow | None:
        return await self._read(read.run, run_key)

    async def find_runs(
        self, workflow_ids: Sequence[str], *, limit_per_id: int = 1
    ) -> dict[str, list[RunRow]]:
        return await self._read(read.runs, workflow_ids, limit_per_id)

    async def find_run_by_id(self, run_id: str) -> RunRow | None:
        return await self._read(read.run_by_id, run_id)

    async def find_start(self, workflow_id: str, request_id: str) -> RunRow | None:
        return await self._read(read.start, workflow_id, request_id)

    async def read_history(
        self, run_key: int, *, after_event_id: int, limit: int, max_bytes: int
    ) -> list[EventRow]:
        return await self._read(read.history, run_key, after_event_id, limit, max_bytes)

    async def read_event_marks(self, events: Sequence[tuple[int, int]]) -> dict[int, EventMark]:
        return await self._read(read.event_marks, events)

    async def read_details(self, run_keys: Sequence[int]) -> dict[int, str]:
        return await self._read(read.details, run_keys)

    async def read_tasks(self, run_key: int) -> list[TaskRow]:
        return await self._read(read.tasks, run_key)

    async def read_timers(self, run_key: int) -> list[TimerRow]:
        return await self._read(read.timers, run_key)

    async def due_timers(
        self, shard_group: int, *, due_until_us: int, after: TimerRow | None, limit: int
    ) -> list[TimerRow]:
        return await self._read(read.due_timers, shard_group, due_until_us, after, limit)

    async def ready_tasks(
        self, shard_group: int, key: TaskKey, *, after: TaskRow | None, limit: int
    ) -> list[TaskRow]:
        return await self._read(read.ready_tasks, shard_group, key, after, limit)

    async def ready_task_keys(self, shard_group: int) -> list[tuple[TaskKey, int]]:
        return await self._read(read.ready_task_keys, shard_group)

    async def assigned_tasks(
        self, shard_group: int, *, after: tuple[int, int] | None, limit: int
    ) -> list[TaskRow]:
        return await self._read(read.assigned_tasks, shard_group, after, limit)

    async def list_runs(
        self, run_filter: RunFilter, *, after: tuple[int, int] | None, limit: int
    ) -> list[RunRow]:
        return await self._read(read.run_page, run_filter, after, limit)

    async def count_runs(self, run_filter: RunFilter) -> dict[int, int]:
        return await self._read(read.run_counts, run_filter)

    async def _write(self, work: Coroutine[Any, Any, T]) -> T:
        """Go on to the end even if the caller goes away: a commit that is broken
        off leaves an outcome that nobody asks for."""
        if self._pool is None:
            work.close()
            raise self._closed()
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even if the caller went away

    async def _read(
        self,
        function: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        for attempt in range(_READ_TRIES):
            pool = self._pool
            if pool is None:
                raise self._closed()
            try:
                return await self._read_once(pool, function, *arguments, **named)
            except _BrokenError as error:
                # The others were broken by the same event, most likely.
                await pool.check()
                if attempt == _READ_TRIES - 1:
                    cause = error.__cause__ or error
                    raise store_error(cause, self._connector.parts) from cause
        raise AssertionError("unreachable")

    async def _read_once(
        self,
        pool: AsyncConnectionPool[AsyncConnection],
        function: Callable[Concatenate[AsyncConnection, P], Awaitable[T]],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        try:
            connection = await pool.getconn()
        except (PoolTimeout, PoolClosed) as error:
            raise store_error(error, self._connector.parts) from error
        try:
            return await function(connection, *arguments, **named)
        except Exception as error:
            if is_broken(error, connection) or passes(error):
                await connection.close()
                raise _BrokenError from error
            raise store_error(error, self._connector.parts) from error
        finally:
            await pool.putconn(connection)

    def _closed(self) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self.description} is not open.")


class _BrokenError(Exception):
    """The connection is of no use; the same read may succeed on another."""

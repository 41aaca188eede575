"""The store port on SQLite.

Three threads, each with a connection: the writer (every transaction), the
reader, and the checkpointer. Write-ahead logging lets them work at the same
time, and a read that begins after a commit returned sees it. A `:memory:`
store has one connection, hence one thread for all.
"""

from __future__ import annotations

import functools
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sched_server.store.port import Store, StoreUnavailableError
from sched_server.store.sqlite import read, schema, write
from sched_server.store.sqlite.checkpoint import Checkpointer, move_log
from sched_server.store.sqlite.connection import connect, switch_to_wal
from sched_server.store.sqlite.failures import end_process, store_error
from sched_server.store.sqlite.files import StoreLock, check_database_file, prepare_folder
from sched_server.store.sqlite.thread import DatabaseThread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

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

MEMORY = ":memory:"
"""The path of a store that is gone when it is closed."""


class SqliteStore(Store):
    """A store in one SQLite file, used by one process at a time.

    `busy_timeout_s` is how long a transaction waits for another program that
    holds a lock on the file, in seconds. `fatal` ends the process when the
    outcome of a commit is unknown.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout_s: float = 5.0,
        fatal: Callable[[str], NoReturn] = end_process,
    ) -> None:
        self._description = f"sqlite {os.fspath(path)}"
        self._path = None if os.fspath(path) == MEMORY else Path(path).resolve()
        self._busy_timeout_s = busy_timeout_s
        self._fatal = fatal
        self.cluster_id = ""
        self._lock: StoreLock | None = None
        self._threads: list[DatabaseThread] = []
        self._writer: DatabaseThread | None = None
        self._reader: DatabaseThread | None = None
        self._checkpointer: Checkpointer | None = None
        self._trouble = ""

    @property
    def description(self) -> str:
        return self._description

    @property
    def warnings(self) -> tuple[str, ...]:
        """None: everything that matters is set by the store itself."""
        return ()

    @property
    def trouble(self) -> str:
        return self._trouble

    async def open(self) -> None:
        if self._threads:
            raise RuntimeError(f"{self._description} is open already.")
        try:
            await self._open_threads()
            assert self._writer is not None
            self.cluster_id = await self._writer.run(read.cluster_id)
        except BaseException:
            await self._let_go()
            raise

    async def _open_threads(self) -> None:
        writer = self._start_thread("writer")
        if self._path is None:
            await writer.open(self._connect_memory)
            self._writer = self._reader = writer
            return
        await writer.open(functools.partial(self._connect_file, self._path))
        reader = self._start_thread("reader")
        await reader.open(functools.partial(self._connect_again, self._path, "query_only = ON"))
        checkpoints = self._start_thread("checkpoints")
        await checkpoints.open(
            functools.partial(self._connect_again, self._path, "busy_timeout = 0")
        )
        self._checkpointer = Checkpointer(checkpoints, writer)
        self._writer, self._reader = writer, reader

    async def close(self) -> None:
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None and self._path is not None:
            # Behind everything that is under way; nothing can be asked any more.
            for thread in reversed(self._threads[1:]):
                await thread.stop()
            del self._threads[1:]
            await writer.run(move_log, "TRUNCATE")
        await self._let_go()

    async def acquire(self, shard_group: int, address: str) -> StoreLease:
        return await self._write(write.acquire, shard_group, address, _wall_us, self._fatal)

    async def advance_clock(self, shard_group: int, epoch: int, advanced_us: int) -> None:
        await self._write(write.advance_clock, shard_group, epoch, advanced_us, self._fatal)

    async def commit(self, batch: CommitBatch) -> list[bool]:
        try:
            applied = await self._write(self._commit, batch)
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

    # --- on the writer thread ------------------------------------------------------

    def _commit(self, connection: sqlite3.Connection, batch: CommitBatch) -> list[bool]:
        written = write.write_batch(connection, batch, self._fatal)
        if self._checkpointer is not None:
            self._checkpointer.written(written.pages)
        return written.applied

    def _connect_memory(self) -> sqlite3.Connection:
        connection = connect(MEMORY, busy_timeout_s=self._busy_timeout_s)
        self._migrate(connection)
        return connection

    def _connect_file(self, path: Path) -> sqlite3.Connection:
        """Everything between a path and a store that is ready. Nothing is
        written, not even a lock file, before the file is known to be ours or new."""
        prepare_folder(path)
        check_database_file(path)
        schema.check_store(path, schema.known_migrations())
        self._lock = StoreLock(path)
        self._lock.acquire()
        connection = connect(str(path), busy_timeout_s=self._busy_timeout_s)
        try:
            switch_to_wal(connection, self._description)
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        schema.migrate(
            connection, schema.known_migrations(), store=self._description, fatal=self._fatal
        )

    # --- threads ---------------------------------------------------------------------

    def _connect_again(self, path: Path, pragma: str) -> sqlite3.Connection:
        connection = connect(str(path), busy_timeout_s=self._busy_timeout_s)
        connection.execute(f"PRAGMA {pragma}")
        return connection

    def _start_thread(self, duty: str) -> DatabaseThread:
        translate = functools.partial(store_error, store=self._description)
        thread = DatabaseThread(f"sched-sqlite-{duty}", translate)
        self._threads.append(thread)
        return thread

    async def _let_go(self) -> None:
        """Stop every thread, the writer last, and release the lock."""
        self._writer = self._reader = self._checkpointer = None
        while self._threads:
            await self._threads.pop().stop()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def _write(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        if self._writer is None:
            raise self._closed()
        return await self._writer.run(function, *arguments, **named)

    async def _read(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        if self._reader is None:
            raise self._closed()
        return await self._reader.run(function, *arguments, **named)

    def _closed(self) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self._description} is not open.")


def _wall_us() -> int:
    return time.time_ns() // 1_000

"""The store port over the simulated database, with the rules of the one on
Postgres for outcomes that nobody heard of."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec

from sched_server.store.port import FencedError, Store, StoreError, StoreUnavailableError
from sched_server.store.sqlite import read
from tests.sim.database import Lost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    from tests.sim.database import Database
    from tests.sim.loop import Process

# An answer that is late is so by at most so much.
_LATE_S = 0.5


class SimStore(Store):
    """What one engine process has of the database."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process
        self._turn = asyncio.Lock()
        self._epochs: dict[int, int] = {}
        """The epoch that stands in the database for that of a lease."""

    @property
    def description(self) -> str:
        return "simulated"

    async def open(self) -> None:
        """The database is there already."""

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def acquire(self, shard_group: int, address: str) -> StoreLease:
        async with self._turn:
            lease: StoreLease = await self._tried(self._database.acquire, shard_group, address)
        self._epochs.clear()
        self._database.trace.add(self._process.name, f"has acquired epoch {lease.epoch}")
        return lease

    async def advance_clock(self, shard_group: int, epoch: int, advanced_us: int) -> None:
        async with self._turn:
            await self._tried(self._database.advance_clock, shard_group, epoch, advanced_us)

    # --- commits -----------------------------------------------------------------------

    async def commit(self, batch: CommitBatch) -> list[bool]:
        async with self._turn:
            database, chance = self._database, self._database.chance
            if database.failing_commits and chance.random() < database.failing_commits:
                database.faults["commit fails"] += 1
                await asyncio.sleep(database.network.delay())
                raise StoreUnavailableError("a commit failed; nothing was written")
            return await self._commit(batch)

    async def _commit(self, batch: CommitBatch) -> list[bool]:
        database, process = self._database, self._process
        epoch = self._epochs.setdefault(batch.epoch, batch.epoch)
        outcome: list[Any] = []

        refused = -1
        if database.conflicts and database.chance.random() < database.conflicts:
            database.faults["serialization conflict"] += 1
            refused = database.chance.randrange(len(batch.groups))

        def write() -> Any:
            groups = [group for i, group in enumerate(batch.groups) if i != refused]
            applied = database.commit(msgspec.structs.replace(batch, epoch=epoch, groups=groups))
            if refused >= 0:
                applied.insert(refused, False)
            outcome.append(applied)
            return applied

        try:
            if database.lost_commits and database.chance.random() < database.lost_commits:
                return await self._lose(write)
            return await database.do(process, write)
        except Lost:
            return await self._resolve(batch, epoch, outcome)

    async def _lose(self, write: Callable[[], Any]) -> Any:
        """The connection breaks: before the statement arrives, or behind it. The
        server may begin with it when the client has given up already."""
        database = self._database
        database.faults["commit outcome unknown"] += 1
        late_s = database.chance.choice((0.0, 0.0, 0.005, 0.2))
        database.loop.world_later(database.network.delay() + late_s, _do_unheard, write)
        await asyncio.sleep(database.network.delay() * 2)
        raise Lost("the connection broke")

    async def _resolve(self, batch: CommitBatch, epoch: int, outcome: list[Any]) -> list[bool]:
        """Raise our own epoch, which shuts the statement out if it has not begun;
        then look whether it happened."""
        database = self._database

        raised: list[int] = []

        def look() -> list[Any]:
            # It may have been raised by an attempt of ours whose answer was lost as well.
            new = None if raised else database.raise_own_epoch(batch.shard_group, epoch)
            if new is not None:
                raised.append(new)
            return list(outcome)

        while True:
            try:
                written = await database.do(self._process, look)
            except Lost:
                await asyncio.sleep(0.3)
            else:
                break
        if raised:
            self._epochs[batch.epoch] = raised[0]
        if written:
            result: list[bool] = written[0]
            return result
        if not raised:
            raise FencedError(f"epoch {epoch} is over")
        return await self._commit(batch)

    # --- reads -------------------------------------------------------------------------

    async def _read(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await self._tried(function, self._database.connection, *arguments)

    async def _tried(self, function: Callable[..., Any], *arguments: Any) -> Any:
        database = self._database
        if database.failing_reads and database.chance.random() < database.failing_reads:
            database.faults["read fails"] += 1
            await asyncio.sleep(database.network.delay())
            raise StoreUnavailableError("a read failed")
        try:
            found = await database.do(self._process, function, *arguments)
        except Lost as error:
            raise StoreUnavailableError(f"the database is away: {error}") from error
        if database.late_reads and database.chance.random() < database.late_reads:
            database.faults["read is late"] += 1
            await asyncio.sleep(database.chance.uniform(0, _LATE_S))
        return found

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


def _do_unheard(write: Callable[[], Any]) -> None:
    """What comes of it is seen by who looks."""
    with contextlib.suppress(StoreError):
        write()

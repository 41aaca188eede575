"""The database server: real transactions, and everything that can go wrong.

The rows are in SQLite, written and read by the product's own statements, in one
go when a request arrives. Around that stands what a server and the way to it
add: delays, requests and answers that are lost, an outage, a full disk.

    request ──delay──▶ away? full? ──▶ the transaction ──delay──▶ answer
        │                                                  │
        └─ lost: it arrives anyhow, later, or never         └─ lost: it happened
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from sched_server.store.port import (
    CommitBatch,
    StoreLease,
    StoreUnavailableError,
)
from sched_server.store.sqlite import MEMORY, read, schema, write
from sched_server.store.sqlite.connection import Transaction, connect
from sched_server.store.sqlite.failures import store_error
from tests.sim.sessions import LockServer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from sched_server.store.port import EventRow, RunRow, TaskRow, TimerRow
    from tests.sim.loop import Process
    from tests.sim.network import Network
    from tests.sim.trace import Trace

HOST = "database"
_BEGINNING_US = 1_700_000_000_000_000
# A client of the database gives up on an answer after so long.
_PATIENCE_S = 5.0
_LOOK_AGAIN_S = 0.05


class Lost(Exception):
    """The connection broke; what was asked may have happened."""


class Database:
    """One per world. `on_commit` hears of each transaction that was applied."""

    def __init__(self, network: Network, chance: random.Random, trace: Trace) -> None:
        self.network = network
        self.loop = network.loop
        self.chance = chance
        self.trace = trace
        self.connection = connect(MEMORY, busy_timeout_s=0.0)
        schema.migrate(
            self.connection, schema.known_migrations(), store="simulated", fatal=_impossible
        )
        self.on_commit: Callable[[CommitBatch, list[bool]], None] = lambda batch, applied: None
        self.lock = LockServer(self)
        self.faults: Counter[str] = Counter()
        self.commits = 0
        self.epoch = 0
        self.clock_offset_us = 0
        # What can be wrong with it.
        self.away = False
        self.full = False
        self.slow = 1.0
        self.failing_commits = 0.0
        self.lost_commits = 0.0
        self.conflicts = 0.0
        self.failing_reads = 0.0
        self.late_reads = 0.0

    def clock_us(self) -> int:
        return _BEGINNING_US + self.clock_offset_us + int(self.loop.time() * 1_000_000)

    def close(self) -> None:
        self.connection.close()

    # --- looking, for checkers ---------------------------------------------------------

    def read_run(self, run_key: int) -> RunRow | None:
        return read.run(self.connection, run_key)

    def read_history(self, run_key: int) -> list[EventRow]:
        return read.history(self.connection, run_key, 0, 1 << 30, 1 << 40)

    def read_details(self, run_key: int) -> str:
        return read.details(self.connection, [run_key]).get(run_key, "")

    def read_tasks(self, run_key: int) -> list[TaskRow]:
        return read.tasks(self.connection, run_key)

    def read_timers(self, run_key: int) -> list[TimerRow]:
        return read.timers(self.connection, run_key)

    # --- asking ----------------------------------------------------------------------

    async def ask(self, process: Process, work: Callable[[Callable[[Any], None]], None]) -> Any:
        """Have `work` done at the server; it answers, once, through what it is
        given. Raises Lost when no answer comes."""
        future: asyncio.Future[Any] = self.loop.create_future()
        self._travel(process, self.loop.time() + _PATIENCE_S, self._work, process, future, work)
        return await future

    async def do(self, process: Process, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have a function run at the server, all at once."""
        return await self.ask(process, lambda answer: answer(_caught(function, *arguments)))

    def _travel(
        self, process: Process, until: float, function: Callable[..., Any], *arguments: Any
    ) -> None:
        """One leg of the way. It begins again while nothing gets through."""

        def arrive() -> None:
            if not self.away and self.network.connected(process.name, HOST):
                function(*arguments)
            elif self.loop.time() < until:
                self.loop.world_later(_LOOK_AGAIN_S, arrive)
            else:
                future = next(a for a in arguments if isinstance(a, asyncio.Future))
                process.call(_settle, future, Lost("no answer"))

        self.loop.world_later(self.network.delay() * 0.3 * self.slow, arrive)

    def _work(
        self,
        process: Process,
        future: asyncio.Future[Any],
        work: Callable[[Callable[[Any], None]], None],
    ) -> None:
        def answer(value: Any) -> None:
            until = self.loop.time() + _PATIENCE_S
            self._travel(process, until, self._deliver, process, future, value)

        work(answer)

    def _deliver(self, process: Process, future: asyncio.Future[Any], value: Any) -> None:
        process.call(_settle, future, value)

    # --- transactions ------------------------------------------------------------------

    def acquire(self, shard_group: int, address: str) -> StoreLease:
        lease = write.acquire(self.connection, shard_group, address, self.clock_us, _impossible)
        self.epoch = lease.epoch
        return lease

    def advance_clock(self, shard_group: int, epoch: int, advanced_us: int) -> None:
        write.advance_clock(self.connection, shard_group, epoch, advanced_us, _impossible)

    def commit(self, batch: CommitBatch) -> list[bool]:
        if self.full:
            self.faults["disk full"] += 1
            raise StoreUnavailableError("the disk is full")
        applied = write.write_batch(self.connection, batch, _impossible).applied
        self.commits += 1
        self.on_commit(batch, applied)
        return applied

    def raise_own_epoch(self, shard_group: int, epoch: int) -> int | None:
        """By compare-and-set: the new epoch, or None if it was another already."""
        with Transaction(self.connection, _impossible):
            found = self.connection.execute(
                "UPDATE shard_groups SET epoch = epoch + 1 "
                "WHERE shard_group = ? AND epoch = ? RETURNING epoch",
                (shard_group, epoch),
            ).fetchall()
        if not found:
            return None
        self.epoch = found[0][0]
        return self.epoch


def _caught(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        return store_error(error, "the simulated store")


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if future.done():
        return
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)


def _impossible(message: str) -> NoReturn:
    raise AssertionError(message)

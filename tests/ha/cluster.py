"""Engines and workers as processes around one Postgres, and how to break them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from sched_sdk import Client
from sched_sdk._client.cluster import ask_status
from sched_sdk.errors import EngineError
from tests.crash.processes import APP, Member, free_port

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sched_sdk._client.models import ClusterStatus

# A machine under load starts a process within this time.
PATIENCE_S = 20.0


class HaCluster:
    """`engines` are numbered in the order in which clients try them."""

    def __init__(self, folder: Path, dsn: str, *, engines: int, workers: int) -> None:
        self.dsn = dsn
        self.ledger = folder / "ledger.jsonl"
        self.ledger.touch()
        self._environment = {"CRASH_LEDGER": str(self.ledger), "NO_COLOR": "1"}
        self._folder = folder
        self._ports = [free_port() for _ in range(engines)]
        self.addresses = [f"127.0.0.1:{port}" for port in self._ports]
        self.engines = [self._engine(i, dsn) for i in range(engines)]
        everywhere = ["--engine", ",".join(self.addresses)]
        self.workers = [
            Member(f"worker{i}", ["worker", str(APP), *everywhere], self._environment, folder)
            for i in range(workers)
        ]

    def _engine(self, number: int, dsn: str) -> Member:
        serving = ["--port", str(self._ports[number]), "--metrics-port", "0", "--migrate"]
        # The DSN by the environment: a process list shows what is typed.
        environment = {
            **self._environment,
            "SCHED_POSTGRES_DSN": dsn,
            "SCHED_LOG_LEVEL": "info",
        }
        return Member(f"engine{number}", ["engine", *serving], environment, self._folder)

    def reach_postgres_by(self, dsn: str, engine: int) -> None:
        """Before it is started: this engine takes another way than the others."""
        self.engines[engine] = self._engine(engine, dsn)

    @property
    def members(self) -> list[Member]:
        return [*self.engines, *self.workers]

    def start(self) -> None:
        for member in self.members:
            member.start()

    def start_others(self) -> None:
        """Whoever was not started yet."""
        for member in self.members:
            if member.process is None:
                member.start()

    async def connect(self) -> Client:
        return await Client.connect(",".join(self.addresses), timeout=PATIENCE_S)

    def stop(self) -> None:
        for member in self.members:
            member.kill()

    def show_logs(self) -> None:
        for member in self.members:
            if member.log:
                print(f"--- {member.name}\n{member.log[-6000:]}")

    # --- looking ---------------------------------------------------------------------------

    async def status(self, engine: int) -> ClusterStatus | None:
        """What it says of itself; None while it does not answer."""
        try:
            return await ask_status(self.addresses[engine], timeout=2)
        except EngineError:
            return None

    async def leader(self, *, other_than: int | None = None) -> int:
        """The number of the engine that leads, as soon as one does."""
        found: list[int] = []

        async def one_leads() -> bool:
            for number, member in enumerate(self.engines):
                if member.process is None or number == other_than:
                    continue
                if await self.has_role(number, "LEADER"):
                    found.append(number)
                    return True
            return False

        await until(one_leads, "an engine leads")
        return found[0]

    async def has_role(self, engine: int, role: str) -> bool:
        status = await self.status(engine)
        return status is not None and status.role == role

    async def stands_by(self, engine: int) -> None:
        """It waits for the lock; before that it answers already."""

        async def waits() -> bool:
            status = await self.status(engine)
            waiting = () if status is None else status.standbys
            return self.addresses[engine] in [standby.address for standby in waiting]

        await until(waits, f"engine {engine} stands by")

    async def has_workers(self, count: int) -> None:
        async def so_many() -> bool:
            status = await self.status(await self.leader())
            return status is not None and len(status.workers) == count

        await until(so_many, f"{count} workers are connected")

    async def epoch(self) -> int:
        """The highest that was given out, as the database says."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute("SELECT max(epoch) FROM sched.leases")
            row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    # --- breaking --------------------------------------------------------------------------

    async def end_lock_session(self) -> int:
        """As an administrator would. Returns how many sessions held the lock."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute(
                "SELECT pg_terminate_backend(session_pid) FROM sched.leaders WHERE session_pid <> 0"
            )
            return len(await cursor.fetchall())

    def leaders_deposed(self) -> bool:
        """A standby waited until a leader had been silent for too long: it did not
        take over at once."""
        return any("ending the session of" in engine.log for engine in self.engines)

    async def terminate(self, member: Member) -> float:
        """SIGTERM, and wait until it is gone. Returns how many seconds that took."""
        process, member.process = member.process, None
        assert process is not None
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE_S)
        assert code == 0, f"{member.name} ended with {code}"
        return time.monotonic() - began


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:g} s: {what}"
        await asyncio.sleep(0.02)


def seed() -> int:
    """Of the load; HA_SEED repeats one."""
    return int(os.environ.get("HA_SEED", "0")) or time.time_ns() % 10**9

"""Real processes to measure in earnest: Postgres with fsync, Redis, engines, workers."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import tempfile
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from benchmarks.queue import redis_server
from benchmarks.system import APP, free_port, spawn
from sched_sdk import Client
from tests.servers.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CONNECT_S = 20.0
_WAIT_S = 60.0


class Cluster:
    """Engines on one Postgres and one Redis."""

    def __init__(self, dsn: str, redis_url: str, folder: str) -> None:
        self.dsn = dsn
        self._redis_url = redis_url
        self._folder = folder
        self._engines: dict[str, subprocess.Popen[bytes]] = {}
        self._workers: list[subprocess.Popen[bytes]] = []
        self.client: Client

    @property
    def addresses(self) -> str:
        return ",".join(self._engines)

    def start_engines(self, count: int) -> None:
        for _ in range(count):
            self._start_engine(f"127.0.0.1:{free_port()}")

    def start_workers(self, count: int) -> None:
        self._workers += [
            spawn("worker", str(APP), "--engine", self.addresses, cwd=self._folder)
            for _ in range(count)
        ]

    def _start_engine(self, address: str) -> None:
        port = address.rpartition(":")[2]
        self._engines[address] = spawn(
            *("engine", "--port", port, "--metrics-port", "0", "--migrate"),
            *("--postgres-dsn", self.dsn, "--redis-url", self._redis_url),
            cwd=self._folder,
        )

    async def leader(self) -> str:
        """The address of the engine that leads."""
        return (await self.client.cluster_status()).leader_address

    def kill(self, address: str) -> None:
        """SIGKILL, and return at once."""
        self._engines[address].send_signal(signal.SIGKILL)

    def restart(self, address: str) -> None:
        self._engines[address].wait()
        self._start_engine(address)

    async def complete(self) -> None:
        """Until every engine but the leader stands by, and every worker is connected."""
        deadline = time.monotonic() + _WAIT_S
        while True:
            status = await self.client.cluster_status()
            standbys = len(status.standbys)
            if standbys == len(self._engines) - 1 and len(status.workers) == len(self._workers):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{standbys} standbys, {len(status.workers)} workers")
            await asyncio.sleep(0.05)

    def stop(self) -> None:
        processes = [*self._workers, *self._engines.values()]
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


@asynccontextmanager
async def cluster(*, engines: int = 2, workers: int = 1) -> AsyncIterator[Cluster]:
    """A whole installation, empty."""
    postgres = PostgresServer(fsync=True)
    try:
        postgres.start()
        with redis_server() as redis_url, tempfile.TemporaryDirectory() as folder:
            running = Cluster(postgres.dsn, redis_url, folder)
            try:
                running.start_engines(engines)
                running.start_workers(workers)
                async with await Client.connect(running.addresses, timeout=_CONNECT_S) as client:
                    running.client = client
                    await running.complete()
                    yield running
            finally:
                running.stop()
    finally:
        postgres.remove()

"""Real processes to measure: a dev engine on SQLite with full sync, and workers."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sched_sdk import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

APP = Path(__file__).with_name("app.py")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    """Resident memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class System:
    address: str
    engine: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]
    client: Client
    _before: dict[str, float] = field(default_factory=dict)

    def roles(self) -> dict[str, list[int]]:
        return {
            "engine": [self.engine.pid],
            "worker": [worker.pid for worker in self.workers],
            "client": [os.getpid()],
        }

    def start_meter(self) -> None:
        self._before = self._cpu()

    def cpu(self) -> dict[str, float]:
        """CPU seconds by role since `start_meter`."""
        return {role: value - self._before[role] for role, value in self._cpu().items()}

    def _cpu(self) -> dict[str, float]:
        return {role: sum(cpu_seconds(pid) for pid in pids) for role, pids in self.roles().items()}


def spawn(*arguments: str, cwd: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "sched_cli", *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if "BENCH_VERBOSE" not in os.environ else None,
    )


@asynccontextmanager
async def system(*, workers: int = 1) -> AsyncIterator[System]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        address = f"127.0.0.1:{port}"
        engine = spawn("dev", "--db", f"{folder}/bench.db", "--port", str(port), cwd=folder)
        processes = [
            spawn("worker", str(APP), "--engine", address, cwd=folder) for _ in range(workers)
        ]
        try:
            async with await Client.connect(address, timeout=20) as client:
                await _workers_connected(client, workers)
                yield System(address, engine, processes, client)
        finally:
            for process in [*processes, engine]:
                process.terminate()
            for process in [*processes, engine]:
                process.wait(timeout=20)


async def _workers_connected(client: Client, count: int) -> None:
    deadline = time.monotonic() + 20
    while len((await client.cluster_status()).workers) < count:
        if time.monotonic() > deadline:
            raise TimeoutError("the workers did not connect")
        await asyncio.sleep(0.02)

"""Engine and workers as a user starts them, each in a process group of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

APP = Path(__file__).with_name("app.py")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Member:
    """A process that can be killed and started again."""

    name: str
    arguments: list[str]
    environment: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0

    def start(self) -> None:
        log = (self.folder / f"{self.name}.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sched_cli", *self.arguments],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL, to the whole group."""
        process, self.process = self.process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.kills += 1

    def signal(self, number: signal.Signals) -> None:
        """To the process alone, which may handle it."""
        assert self.process is not None
        self.process.send_signal(number)

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text(errors="replace")


class Cluster:
    """One dev engine on a SQLite file, and workers."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.ledger = folder / "ledger.jsonl"
        self.ledger.touch()
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        environment = {"CRASH_LEDGER": str(self.ledger), "NO_COLOR": "1"}
        self.engine = Member(
            "engine",
            ["dev", "--db", str(folder / "crash.db"), "--port", str(port)],
            environment,
            folder,
        )
        self.workers = [
            Member(
                f"worker{i}", ["worker", str(APP), "--engine", self.address], environment, folder
            )
            for i in range(workers)
        ]

    @property
    def members(self) -> list[Member]:
        return [self.engine, *self.workers]

    def start(self) -> None:
        for member in self.members:
            member.start()

    def stop(self) -> None:
        for member in self.members:
            member.kill()

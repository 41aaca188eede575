"""The demo's real parts: an engine and a worker, each a process that can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from sched_cli.errors import CliError

if TYPE_CHECKING:
    from pathlib import Path

_START_TIMEOUT_S = 10.0
_SHOWN_LOG_LINES = 15


class DemoError(CliError):
    """Something was not as it should be."""


class Part:
    """One process of the demo, started with a `sched` command line."""

    def __init__(self, name: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self.arguments = arguments
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """None while it does not run."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    def start(self) -> None:
        """Start it; what it says goes to its log."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sched_cli", *self.arguments],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A group of its own: Ctrl-C is for the demo, which stops the others.
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9, with everything that it started."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def failure(self) -> DemoError:
        """What to say when it does not run: the end of its log."""
        lines = self._log.read_text(errors="replace").splitlines()[-_SHOWN_LOG_LINES:]
        said = "\n".join(f"  {line}" for line in lines) or "  (nothing)"
        state = "does not get ready" if self.pid else "ended"
        return DemoError(f"The {self.name} {state}. It said:\n{said}")

    async def until_log_says(self, words: str) -> None:
        """Wait for a line of its output since the last start of the demo.

        Raises DemoError when it ends, or does not say it in time.
        """
        seen = self._count(words)
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT_S
        while self._count(words) == seen:
            if self.pid is None or asyncio.get_running_loop().time() > deadline:
                raise self.failure()
            await asyncio.sleep(0.02)

    def _count(self, words: str) -> int:
        return self._log.read_text(errors="replace").count(words) if self._log.exists() else 0


def run_sched(arguments: list[str], folder: Path) -> str:
    """Run a `sched` command to its end; returns what it wrote to stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "sched_cli", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=_START_TIMEOUT_S,
    )
    if done.returncode != 0:
        raise DemoError(
            f"sched {' '.join(arguments)} ended with code {done.returncode}:\n{done.stderr}"
        )
    return done.stdout


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

"""Engines and workers: processes that can be killed, frozen, stopped, started again.

Each leads a process group of its own, and nothing else is ever signalled. Whoever
ends unasked is started again, as a supervisor would.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.timeline import Timeline

ROOT = Path(__file__).resolve().parents[2]
STOPS_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.1
_PAUSE_S = 0.5
# What a program of ours says of its end: done, failed, unreachable.
_ORDERLY = (0, 1, 3)


class Member:
    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: dict[str, str],
        folder: Path,
        timeline: Timeline,
        prefix: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.arguments = list(arguments)
        self.lock = asyncio.Lock()
        """Held by who does something to it."""
        self.lives = 0
        self.unasked = 0
        """How often it ended by itself."""
        self._environment = {**os.environ, **environment, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        self._folder = folder
        self._timeline = timeline
        self._prefix = list(prefix)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Unless it runs."""
        if self._process is not None:
            return
        self.lives += 1
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "sched_cli", *self.arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._timeline.add(self.name, f"starts (life {self.lives}, pid {self._process.pid})")

    def kill(self) -> None:
        """SIGKILL, whatever state it is in."""
        process, self._process = self._process, None
        if process is not None:
            self._signal(process, signal.SIGKILL)
            process.wait()

    def freeze(self) -> None:
        if self._process is not None:
            self._signal(self._process, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None:
            self._signal(self._process, signal.SIGCONT)

    async def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            for _ in range(round(STOPS_WITHIN_S / _LOOK_EVERY_S)):
                if process.poll() is not None:
                    break
                await asyncio.sleep(_LOOK_EVERY_S)
            else:
                message = f"{self.name} has not ended {STOPS_WITHIN_S:g} s after SIGTERM"
                self._timeline.wrong("Stops", message)
        finally:
            self._signal(process, signal.SIGKILL)
            process.wait()
        if process.returncode != -signal.SIGTERM:  # it had not begun to listen for it
            self._judge(process.returncode)
        self._timeline.add(self.name, f"has stopped ({process.returncode})")

    async def supervise(self) -> None:
        """Start it again when it ends by itself, for ever."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            if self._process is None or self._process.poll() is None or self.lock.locked():
                continue
            async with self.lock:
                process, self._process = self._process, None
                assert process is not None
                self.unasked += 1
                last = (self.log.strip().splitlines() or [""])[-1]
                self._timeline.add(self.name, f"ended by itself ({process.returncode}): {last}")
                self._judge(process.returncode)
                await asyncio.sleep(_PAUSE_S)
                self.start()

    def _judge(self, code: int) -> None:
        if code not in _ORDERLY:
            self._timeline.wrong("Ends", f"{self.name} ended with {code}")

    def _signal(self, process: subprocess.Popen[bytes], number: signal.Signals) -> None:
        if process.poll() is None:  # not waited for yet: the group is still ours
            os.killpg(process.pid, number)

    @property
    def _log(self) -> Path:
        return self._folder / f"{self.name}.log"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

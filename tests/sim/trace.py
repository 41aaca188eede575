"""What happened, for people and for comparing runs."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.loop import VirtualLoop

_KEPT = 4_000


class Trace:
    """The last steps, and a hash over all of them. Equal runs have equal hashes."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._lines: deque[str] = deque(maxlen=_KEPT)
        self._digest = hashlib.blake2b(digest_size=8)
        self.steps = 0

    def add(self, who: str, what: str) -> None:
        line = f"{self._loop.time():12.6f}  {who:<22} {what}"
        self.steps += 1
        self._lines.append(line)
        self._digest.update(line.encode())

    @property
    def hash(self) -> str:
        return self._digest.hexdigest()

    def last(self, count: int, *, about: str = "") -> list[str]:
        lines = [line for line in self._lines if about in line] if about else list(self._lines)
        return lines[-count:]


class TraceLogs(logging.Handler):
    """Makes what the system logs part of the trace."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(logging.INFO)
        self._trace = trace
        self.unexpected: list[str] = []
        """Errors with a traceback: something that nobody thought of."""

    def emit(self, record: logging.LogRecord) -> None:
        from tests.sim.loop import _process

        process = _process.get()
        message = record.getMessage().splitlines()[0][:300]
        self._trace.add(process.name if process is not None else "world", f"log: {message}")
        if record.exc_info and record.levelno >= logging.ERROR:
            error = record.exc_info[1]
            where = traceback.extract_tb(error.__traceback__)[-6:] if error else []
            path = " → ".join(f"{Path(f.filename).stem}:{f.lineno}" for f in where)
            self.unexpected.append(f"{message}: {type(error).__name__}: {error} ({path})")

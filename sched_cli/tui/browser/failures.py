"""What goes wrong inside the browser: said once, written down where asked.

An error is a bug of ours, not a reason to take the screen away. It ends what it
happened in (one key press, one read, one line that is painted) and nothing else.
"""

from __future__ import annotations

import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Failures"]

_SILENT_S = 30.0
"""The same error is told again only after so long: a line that cannot be painted
fails at every repaint."""
_WORDS = 200


class Failures:
    """The errors of one session."""

    def __init__(self, log: Path | None = None, clock: Callable[[], float] = time.monotonic):
        """`log` is the file that tracebacks are appended to; None writes none."""
        self.all: list[Exception] = []
        """One of each kind, in the order in which they were first seen."""
        self._log = log
        self._clock = clock
        self._told: dict[tuple[str, str], float] = {}

    def take(self, error: Exception) -> str | None:
        """Note an error. Returns what to tell, or None when it was told just now."""
        place = _place(error)
        kind = (type(error).__name__, place)
        now, before = self._clock(), self._told.get(kind)
        if before is None:
            self.all.append(error)
        elif now - before < _SILENT_S:
            return None
        self._told[kind] = now
        words = " ".join(f"{type(error).__name__}: {error}".split())
        shown = words if len(words) <= _WORDS else f"{words[: _WORDS - 1]}…"
        return f"sched itself failed, and goes on: {shown} ({place}). {self._write(error)}"

    def _write(self, error: Exception) -> str:
        if self._log is None:
            return "For the traceback: sched tui --log FILE. Please report it."
        try:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat()}\n")
                file.writelines(traceback.format_exception(error))
        except OSError as problem:
            return f"{self._log} cannot be written: {problem.strerror}."
        return f"The traceback is in {self._log}; please report it."


def _place(error: Exception) -> str:
    """Where it was raised, as a file and a line; of our own code if it went through it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/sched_cli/" in frame.filename.replace("\\", "/")]
    if not frames:
        return "nowhere"
    frame = (ours or frames)[-1]
    return f"{frame.filename.replace(chr(92), '/').rpartition('/')[2]}:{frame.lineno}"

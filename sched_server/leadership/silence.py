"""How long something has not changed, by a clock that cannot be moved."""

from __future__ import annotations

import time

__all__ = ["Silence", "lease_clock"]

if hasattr(time, "CLOCK_BOOTTIME"):

    def lease_clock() -> float:
        """Seconds; goes on while the process is stopped and the machine sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:

    def lease_clock() -> float:
        """Seconds; goes on while the process is stopped."""
        return time.monotonic()


class Silence:
    """Compares what is seen now with what was seen before."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = 0.0

    def observe(self, seen: object, now: float) -> float:
        """For how many seconds `seen` has been the same."""
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since

    def begin(self, now: float) -> None:
        """Count from now on, whatever was seen."""
        self._since = now

"""How long something has not changed, by a clock that cannot be moved."""

from __future__ import annotations

__all__ = ["Silence"]


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

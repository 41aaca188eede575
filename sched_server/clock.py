"""Cluster time: the database's clock at the takeover plus monotonic time.

A wall clock that is set back or forth while the engine leads moves no timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Microseconds since the Unix epoch; never goes back."""

    __slots__ = ("_monotonic", "_offset_us", "advanced_us")

    def __init__(
        self, now_us: int, monotonic: Callable[[], float], *, advanced_us: int = 0
    ) -> None:
        """`now_us`: the time that it is now, by the clock that counts, of which
        `advanced_us` are because somebody moved it."""
        self._monotonic = monotonic
        self._offset_us = now_us - int(monotonic() * 1_000_000)
        self.advanced_us = advanced_us
        """How far it is ahead of where it would be by itself."""

    def advance(self, by_us: int) -> None:
        """Move ahead. What measures real time, such as leases, does not notice."""
        assert by_us >= 0, "time does not go back"
        self._offset_us += by_us
        self.advanced_us += by_us

    def now_us(self) -> int:
        return self._offset_us + int(self._monotonic() * 1_000_000)

    def time_of(self, monotonic_s: float) -> int:
        """A moment of the monotonic clock, as far from now as it is in real time."""
        return self._offset_us + int(monotonic_s * 1_000_000)

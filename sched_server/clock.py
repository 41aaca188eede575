"""Cluster time: the database's clock at the takeover plus monotonic time.

A wall clock that is set back or forth while the engine leads moves no timer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Clock:
    """Microseconds since the Unix epoch; never goes back."""

    __slots__ = ("_monotonic", "_offset_us")

    def __init__(self, now_us: int, monotonic: Callable[[], float]) -> None:
        """`now_us`: the time that it is now, by the clock that counts."""
        self._monotonic = monotonic
        self._offset_us = now_us - int(monotonic() * 1_000_000)

    def now_us(self) -> int:
        return self._offset_us + int(self._monotonic() * 1_000_000)

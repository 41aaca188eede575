"""Cluster time: the database's clock at the takeover plus monotonic time.

A wall clock that is set back or forth while the engine leads moves no timer.
"""

from __future__ import annotations

import time


class Clock:
    """Microseconds since the Unix epoch; never goes back."""

    __slots__ = ("_offset_us",)

    def __init__(self, now_us: int) -> None:
        """`now_us`: the time that it is now, by the clock that counts."""
        self._offset_us = now_us - time.monotonic_ns() // 1_000

    def now_us(self) -> int:
        return self._offset_us + time.monotonic_ns() // 1_000

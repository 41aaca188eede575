"""What an engine takes from the machine that it runs on: time and chance.

Everything else that it touches stands behind a port. A simulation gives it a
machine of its own, and the same seed then makes the same run.
"""

from __future__ import annotations

import random
import time
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Machine", "lease_clock"]

if hasattr(time, "CLOCK_BOOTTIME"):

    def lease_clock() -> float:
        """Seconds; goes on while the process is stopped and the machine sleeps."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:

    def lease_clock() -> float:
        """Seconds; goes on while the process is stopped."""
        return time.monotonic()


def _wall_us() -> int:
    return time.time_ns() // 1_000


class Machine:
    """One per engine process.

    `monotonic` is a clock in seconds that nobody can set. It is not the event
    loop's, which stands still while a turn of the loop lasts, and counts only
    milliseconds in some loops. `lease_clock` is one by which leads end: it goes
    on while the machine sleeps. `wall_us` is the time of day, for people only.
    `chance` makes ids, seeds and jitter; by default it begins with the system's
    randomness.
    """

    __slots__ = ("lease_clock", "monotonic", "random", "wall_us")

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        lease_clock: Callable[[], float] = lease_clock,
        wall_us: Callable[[], int] = _wall_us,
        chance: random.Random | None = None,
    ) -> None:
        self.monotonic = monotonic
        self.lease_clock = lease_clock
        self.wall_us = wall_us
        # Not the module's generator, which anybody may seed.
        self.random = random.Random() if chance is None else chance  # noqa: S311 - nothing secret

    def new_uuid(self) -> uuid.UUID:
        """A random UUID."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

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

__all__ = ["Machine"]


class Machine:
    """One per engine process.

    `monotonic` is a clock in seconds that nobody can set. It is not the event
    loop's, which stands still while a turn of the loop lasts, and counts only
    milliseconds in some loops. `chance` makes ids, seeds and jitter; by default
    it begins with the system's randomness.
    """

    __slots__ = ("monotonic", "random")

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self.monotonic = monotonic
        # Not the module's generator, which anybody may seed.
        self.random = random.Random() if chance is None else chance  # noqa: S311 - nothing secret

    def new_uuid(self) -> uuid.UUID:
        """A random UUID."""
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

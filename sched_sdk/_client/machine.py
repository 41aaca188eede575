"""What clients and workers take from the machine that they run on: time,
chance, connections and threads.

A simulation gives them a machine of its own, and the same seed then makes the
same run.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from sched_sdk._client.transport import open_channel

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc.aio

__all__ = ["Machine"]


class Machine:
    """A client has one, and its workers share it.

    `monotonic` is a clock in seconds that nobody can set; `chance` makes ids and
    jitter, by default from the system's randomness. `open_channel` connects to
    one engine, as `transport.open_channel` does. On a machine without `threads`
    plain functions run in the event loop, and nothing watches that loop.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
        open_channel: Callable[[str, float], grpc.aio.Channel] = open_channel,
        threads: bool = True,
    ) -> None:
        self.monotonic = monotonic
        # Not the module's generator, which user code may seed.
        self.random = random.Random() if chance is None else chance  # noqa: S311 - nothing secret
        self.open_channel = open_channel
        self.threads = threads

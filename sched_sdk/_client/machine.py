"""What clients and workers take from the machine that they run on: time,
chance, connections and threads.

A simulation gives them a machine of its own, and the same seed then makes the
same run.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from sched_sdk._access import PLAIN
from sched_sdk._client.channels import ChannelOpener

if TYPE_CHECKING:
    from collections.abc import Callable

    import grpc.aio

    from sched_sdk._access import Access

__all__ = ["Machine"]


class Machine:
    """A client has one, and its workers share it.

    `monotonic` is a clock in seconds that nobody can set; `chance` makes ids and
    jitter, by default from the system's randomness. `open_channel` connects to
    one engine, as a ChannelOpener does, by default with `access`. On a machine without `threads`
    plain functions run in the event loop, and nothing watches that loop.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
        open_channel: Callable[[str, float], grpc.aio.Channel] | None = None,
        threads: bool = True,
        access: Access = PLAIN,
    ) -> None:
        """Raises InvalidArgumentError for files of `access` that cannot be used."""
        self.monotonic = monotonic
        # Not the module's generator, which user code may seed.
        self.random = random.Random() if chance is None else chance  # noqa: S311 - nothing secret
        self.access = access
        self.open_channel = ChannelOpener(access) if open_channel is None else open_channel
        self.threads = threads

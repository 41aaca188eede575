"""Duties that a failing store only puts off."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sched_server.errors import Unavailable
from sched_server.store.port import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_server.shard_group import ShardGroup

__all__ = ["insist"]

logger = logging.getLogger("sched.engine")

_PAUSE_S = 0.5


async def insist(group: ShardGroup, duty: str, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` until what it does is durable, or until the term is over: then
    the next leader finds in its rows what is to be done. `duty` says for people
    what cannot be done yet."""
    while not group.closed:
        try:
            await work()
        except (StoreUnavailableError, Unavailable) as error:
            logger.warning("%s, trying again: %s", duty, error)
            await asyncio.sleep(_PAUSE_S)
        else:
            return

"""Futures and tasks whose order is the program's order.

asyncio keeps futures and tasks in sets (`wait`, `as_completed`, the abort of a
`TaskGroup`) and so visits them in the order of their hashes, which by default
are memory addresses. Here the hash is the number in which the loop created the
object: the same program visits them in the same order in every process.

Two places of asyncio go around the loop's factories. `install` mends them:

- `gather` builds its outer future from a class of its own; on a replay loop
  that future gets a number too.
- `as_completed` puts bare coroutines into a set before it makes tasks of
  them; on a replay loop they become tasks first, in the order given.

On any other loop both behave exactly as before.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import functools
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import contextvars

    from sched_sdk._replay.call_sites import CallSite

__all__ = ["ReplayFuture", "ReplayTask", "install"]

T = TypeVar("T")


class ReplayFuture(asyncio.Future[T]):
    """A future that hashes by its number."""

    __slots__ = ("order",)

    order: int

    def __hash__(self) -> int:
        return self.order


class ReplayTask(asyncio.Task[T]):
    """A task that hashes by its number and keeps its context, in which it is
    closed when the run is evicted."""

    __slots__ = ("context", "order", "site")

    # While the base class initializes itself it already puts the task into a set.
    order: int
    context: contextvars.Context
    site: CallSite
    """Where it was made."""

    def __hash__(self) -> int:
        return self.order


def install() -> None:
    """Mend what bypasses the factories of a replay loop, which is known by its
    method `next_order`."""
    _number_gathering_futures()
    _order_as_completed()


def _number_gathering_futures() -> None:
    plain: Any = getattr(asyncio.tasks, "_GatheringFuture", None)
    if plain is None:  # an asyncio that gathers differently has nothing to mend
        return

    class GatheringFuture(plain):  # type: ignore[misc]  # the base is looked up at run time
        def __init__(self, children: Any, *, loop: asyncio.AbstractEventLoop) -> None:
            super().__init__(children, loop=loop)
            next_order = getattr(loop, "next_order", None)
            self.order = next_order() if next_order else object.__hash__(self)

        def __hash__(self) -> int:
            order: int = self.order
            return order

    asyncio.tasks._GatheringFuture = GatheringFuture  # type: ignore[attr-defined]  # not in the stubs


def _order_as_completed() -> None:
    plain: Any = asyncio.as_completed

    @functools.wraps(plain)
    def as_completed(fs: Any, *, timeout: float | None = None) -> Any:
        replays = hasattr(asyncio._get_running_loop(), "next_order")
        # A future can be iterated too, but is a mistake that asyncio explains.
        if replays and hasattr(fs, "__iter__") and not asyncio.isfuture(fs):
            fs = [asyncio.ensure_future(future) for future in dict.fromkeys(fs)]
        return plain(fs, timeout=timeout)

    asyncio.as_completed = as_completed
    asyncio.tasks.as_completed = as_completed

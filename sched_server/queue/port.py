"""The queue port: delivery of tasks that no worker could take at once.

The queue is never the truth. It may lose, repeat or delay what it was given;
the store's task rows say what is pending, and the dispatcher recognises
duplicates. Every adapter passes `tests/queue/conformance.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from sched_server.store.port import TaskKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["QueueStatus", "QueuedTask", "TaskKey", "TaskQueue"]


class QueuedTask(Struct, frozen=True):
    """Which pending task row is meant. Equal tasks are the same task."""

    key: TaskKey
    run_key: int
    seq: int
    """0 for a workflow task."""
    attempt: int


class QueueStatus(Struct, frozen=True, kw_only=True):
    """How the queue is, for people. Holds no secrets."""

    description: str
    """What and where: "Redis 6.2.7 at cache:6379"."""
    connected: bool
    """If not, tasks wait in the engine's memory meanwhile."""
    version: str = ""
    """The server's; empty if there is none, or it was never reached."""
    last_error: str = ""
    """Why it is not connected, or does not take tasks; empty when all is well."""
    warnings: tuple[str, ...] = ()
    """What works, but should be set otherwise; each one with the remedy."""


class TaskQueue(Protocol):
    """One FIFO per key. No method raises, or waits for long, because a server
    behind the queue has failed."""

    async def open(
        self, on_available: Callable[[TaskKey], None], on_lost: Callable[[], None]
    ) -> None:
        """Start delivering. Both are called on the event loop.

        `on_available`: a key that had nothing to take has something.
        `on_lost`: tasks of any key may be gone; the caller reads them again
        from the store.
        """
        ...

    async def close(self) -> None: ...

    async def publish(self, tasks: Sequence[QueuedTask]) -> Sequence[QueuedTask]:
        """Add tasks, in order, in one round trip. Returns those that were not
        taken because their key's window is full; the caller refills them from
        the store later."""
        ...

    async def take(self, key: TaskKey, limit: int) -> list[QueuedTask]:
        """Up to `limit` tasks of one key in order of arrival; empty if there
        are none. Never waits for tasks to arrive."""
        ...

    async def finish(self, tasks: Sequence[QueuedTask]) -> None:
        """Taken tasks that need not be delivered again."""
        ...

    def depth(self, key: TaskKey) -> int:
        """How many tasks of this key wait here, as far as is known."""
        ...

    def status(self) -> QueueStatus: ...

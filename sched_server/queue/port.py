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

__all__ = ["QueuedTask", "TaskKey", "TaskQueue"]


class QueuedTask(Struct, frozen=True):
    """Which pending task row is meant. Equal tasks are the same task."""

    key: TaskKey
    run_key: int
    seq: int
    """0 for a workflow task."""
    attempt: int


class TaskQueue(Protocol):
    """One FIFO per key."""

    async def open(self, on_available: Callable[[TaskKey], None]) -> None:
        """Start delivering. `on_available` is called on the event loop when a
        key that had nothing to take has something."""
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

"""The task queue in the engine's own memory: for one engine, without a server.

Nothing survives the process, and nothing has to: the store's task rows say
what is pending, and the dispatcher fills the queue from them.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from sched_server.queue.port import QueueStatus, TaskQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_server.queue.port import QueuedTask, TaskKey

__all__ = ["DEFAULT_WINDOW", "MemoryTaskQueue"]

DEFAULT_WINDOW = 10_000
"""How many tasks of one key wait in memory; more stay in the store."""


class MemoryTaskQueue(TaskQueue):
    """One FIFO per key, of at most `window` tasks.

    A task that waits already is not added again. While the queue is closed it
    takes nothing and has nothing.
    """

    def __init__(self, window: int = DEFAULT_WINDOW) -> None:
        if window < 1:
            raise ValueError(f"The window of a task queue is at least 1; got {window}.")
        self._window = window
        self._on_available: Callable[[TaskKey], None] | None = None
        # Ordered dicts keep the order of arrival and find duplicates. Keys
        # without tasks are left out, so unused ones cost nothing.
        self._waiting: dict[TaskKey, OrderedDict[QueuedTask, None]] = {}

    async def open(
        self,
        on_available: Callable[[TaskKey], None],
        on_lost: Callable[[], None],  # noqa: ARG002 - nothing is lost here
    ) -> None:
        self._on_available = on_available

    async def close(self) -> None:
        self._on_available = None
        self._waiting.clear()

    async def publish(self, tasks: Sequence[QueuedTask]) -> Sequence[QueuedTask]:
        on_available = self._on_available
        if on_available is None:
            return list(tasks)
        overflow: list[QueuedTask] = []
        filled: list[TaskKey] = []
        for task in tasks:
            waiting = self._waiting.get(task.key)
            if waiting is None:
                waiting = self._waiting[task.key] = OrderedDict()
                filled.append(task.key)
            if task in waiting:
                continue
            if len(waiting) >= self._window:
                overflow.append(task)
            else:
                waiting[task] = None
        # After everything is added: the listener may take at once.
        for key in filled:
            on_available(key)
        return overflow

    async def take(self, key: TaskKey, limit: int) -> list[QueuedTask]:
        waiting = self._waiting.get(key)
        if waiting is None or limit <= 0:
            return []
        if len(waiting) <= limit:
            del self._waiting[key]
            return list(waiting)
        return [waiting.popitem(last=False)[0] for _ in range(limit)]

    async def finish(self, tasks: Sequence[QueuedTask]) -> None:
        """Nothing to do: a taken task is forgotten here."""

    def depth(self, key: TaskKey) -> int:
        waiting = self._waiting.get(key)
        return 0 if waiting is None else len(waiting)

    def status(self) -> QueueStatus:
        return QueueStatus(
            description="in the engine's memory", connected=self._on_available is not None
        )

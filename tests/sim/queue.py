"""The queue port over a simulated server that loses, repeats and delays.

A model of what Redis does to the engine: tasks live longer than a term, what was
taken and not finished comes again, and any of it may be gone.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from sched_server.queue.port import QueueStatus, TaskQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_server.queue.port import QueuedTask, TaskKey
    from tests.sim.loop import Process
    from tests.sim.network import Network

HOST = "queue"
# What was taken and not finished for so long is given to another.
_CLAIM_AFTER_S = 3.0


class QueueServer:
    """One per world; the queues of every engine and term are views of it."""

    def __init__(self, network: Network, chance: random.Random, window: int) -> None:
        self.network = network
        self.loop = network.loop
        self.chance = chance
        self.window = window
        self.waiting: dict[TaskKey, OrderedDict[QueuedTask, None]] = {}
        self.faults: Counter[str] = Counter()
        self.readers: dict[SimQueue, None] = {}
        self.away = False
        self.drops = 0.0
        self.repeats = 0.0
        self.reorders = 0.0

    def put(self, task: QueuedTask) -> bool:
        """Whether there was room."""
        waiting = self.waiting.setdefault(task.key, OrderedDict())
        if len(waiting) >= self.window and task not in waiting:
            return False
        if self.chance.random() < self.drops:
            self.faults["queue drops"] += 1
        else:
            waiting[task] = None
            if self.chance.random() < self.reorders:
                self.faults["queue reorders"] += 1
                waiting.move_to_end(task, last=False)
        return True

    def take(self, key: TaskKey, limit: int) -> list[QueuedTask]:
        waiting = self.waiting.get(key)
        taken: list[QueuedTask] = []
        while waiting and len(taken) < limit:
            task, _ = waiting.popitem(last=False)
            taken.append(task)
            if self.chance.random() < self.repeats:
                self.faults["queue repeats"] += 1
                self.loop.world_later(self.chance.uniform(0, _CLAIM_AFTER_S), self._again, task)
        return taken

    def _again(self, task: QueuedTask) -> None:
        self.waiting.setdefault(task.key, OrderedDict())[task] = None
        self.tell_available([task.key])

    def wipe(self, *, noticed: bool) -> None:
        """Everything is gone. Engines that see that the server began anew say so."""
        self.faults["queue wiped"] += 1
        self.waiting.clear()
        if noticed:
            for reader in list(self.readers):
                reader.lost()

    def back(self) -> None:
        """It was away, and is there again, with what it had."""
        self.away = False
        self.tell_available(list(self.waiting))

    def tell_available(self, keys: Sequence[TaskKey]) -> None:
        for reader in list(self.readers):
            for key in keys:
                if self.waiting.get(key):
                    reader.available(key)

    def depth(self, key: TaskKey) -> int:
        return len(self.waiting.get(key, ()))

    def forget(self, process: Process) -> None:
        for reader in list(self.readers):
            if reader.process is process:
                del self.readers[reader]


class SimQueue(TaskQueue):
    """What one term of one engine has of the queue."""

    def __init__(self, server: QueueServer, process: Process) -> None:
        self.process = process
        self._server = server
        self._on_available: Callable[[TaskKey], None] | None = None
        self._on_lost: Callable[[], None] = lambda: None
        self._local: dict[TaskKey, OrderedDict[QueuedTask, None]] = {}
        """What came while the server was away."""

    async def open(
        self, on_available: Callable[[TaskKey], None], on_lost: Callable[[], None]
    ) -> None:
        self._on_available, self._on_lost = on_available, on_lost
        self._server.readers[self] = None

    async def close(self) -> None:
        self._on_available = None
        self._server.readers.pop(self, None)

    @property
    def _reached(self) -> bool:
        server = self._server
        return not server.away and server.network.connected(self.process.name, HOST)

    async def publish(self, tasks: Sequence[QueuedTask]) -> Sequence[QueuedTask]:
        await self._pause()
        if self._on_available is None:
            return list(tasks)
        server = self._server
        if not self._reached:
            for task in tasks:
                self._local.setdefault(task.key, OrderedDict())[task] = None
            for key in dict.fromkeys(task.key for task in tasks):
                self.available(key)
            return []
        new = [key for key in dict.fromkeys(t.key for t in tasks) if not server.waiting.get(key)]
        refused = [task for task in tasks if not server.put(task)]
        for key in new:
            if server.waiting.get(key):
                self.available(key)
        return refused

    async def take(self, key: TaskKey, limit: int) -> list[QueuedTask]:
        await self._pause()
        if self._on_available is None or limit <= 0:
            return []
        local = self._local.get(key)
        taken: list[QueuedTask] = []
        while local and len(taken) < limit:
            taken.append(local.popitem(last=False)[0])
        if len(taken) < limit and self._reached:
            taken += self._server.take(key, limit - len(taken))
            await self._pause()
        return taken

    async def finish(self, tasks: Sequence[QueuedTask]) -> None:
        await self._pause()

    def depth(self, key: TaskKey) -> int:
        return self._server.depth(key) + len(self._local.get(key, ()))

    def status(self) -> QueueStatus:
        return QueueStatus(description="simulated", connected=self._reached)

    def available(self, key: TaskKey) -> None:
        self.process.call(self._tell, key)

    def lost(self) -> None:
        self.process.call(self._tell_lost)

    def _tell(self, key: TaskKey) -> None:
        if self._on_available is not None:
            self._on_available(key)

    def _tell_lost(self) -> None:
        if self._on_available is not None:
            self._on_lost()

    async def _pause(self) -> None:
        await asyncio.sleep(self._server.network.delay() * 0.3)

"""What this process knows of one key's tasks.

    publish ──► sending ──► waiting ──► taken ──► (finished)
                   │           │          ▲
       Redis away  ▼           ▼          │
                  local ◄──────┘ ─────────┤
                                          │
    left by others: foreign ──────────────┤
    read by an engine that died: claimed ─┘

`waiting` is what stands in Redis by our hand, so that when Redis loses it, it
waits here (`local`) from then on. `foreign` is only a number.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_server.queue.port import QueuedTask, TaskKey
    from sched_server.queue.redis.wire import Names

__all__ = ["Window", "Windows"]


class Window:
    """One key's part of the queue."""

    __slots__ = (
        "claimed",
        "exists",
        "foreign",
        "key",
        "local",
        "quiet_looks",
        "sending",
        "stream",
        "taken",
        "unfinished",
        "unreadable",
        "waiting",
    )

    def __init__(self, key: TaskKey, stream: str) -> None:
        self.key = key
        self.stream = stream
        self.exists = False
        """The stream and its group are known to be there."""
        self.sending: dict[QueuedTask, None] = {}
        self.waiting: dict[QueuedTask, bytes] = {}
        """With the ids of their entries."""
        self.claimed: dict[QueuedTask, bytes] = {}
        self.local: dict[QueuedTask, None] = {}
        self.foreign = 0
        self.unreadable = 0
        """Entries that are counted, but that no read returns."""
        self.taken: dict[QueuedTask, list[bytes]] = {}
        self.unfinished: list[bytes] = []
        """Entries to delete once Redis listens."""
        self.quiet_looks = 0
        """How many surveys in a row found nothing here."""

    @property
    def depth(self) -> int:
        return len(self.sending) + self.takeable

    @property
    def in_process(self) -> int:
        """What can be taken without Redis."""
        return len(self.claimed) + len(self.local)

    @property
    def in_redis(self) -> int:
        """What can be read from Redis, as far as is known."""
        return len(self.waiting) + self.foreign

    @property
    def takeable(self) -> int:
        return self.in_process + self.in_redis

    @property
    def unused(self) -> bool:
        return not (self.depth or self.taken or self.unfinished)

    def has(self, task: QueuedTask) -> bool:
        return (
            task in self.waiting
            or task in self.sending
            or task in self.local
            or task in self.claimed
        )

    def take_in_process(self, limit: int) -> list[QueuedTask]:
        tasks = list(islice(self.claimed, limit))
        for task in tasks:
            self._note_taken(task, self.claimed.pop(task))
        local = list(islice(self.local, limit - len(tasks)))
        for task in local:
            del self.local[task]
        return tasks + local

    def take_entry(self, task: QueuedTask, entry_id: bytes) -> None:
        """The entry was read, and goes out."""
        if self.waiting.get(task) == entry_id:
            del self.waiting[task]
        elif self.foreign:
            self.foreign -= 1
        self._note_taken(task, entry_id)

    def claim_entry(self, task: QueuedTask, entry_id: bytes) -> None:
        """The entry was taken long ago and not finished: it is to be taken again."""
        if self.claimed.get(task) == entry_id:
            return
        if self.has(task):
            self.unfinished.append(entry_id)
        else:
            self.claimed[task] = entry_id

    def finish(self, task: QueuedTask) -> None:
        self.unfinished += self.taken.pop(task, ())

    def withdraw(self) -> None:
        """Redis cannot be counted on for what waits there: it waits here. If
        the entries are there nevertheless, they are deleted later."""
        self.local.update(dict.fromkeys(self.waiting))
        self.unfinished += self.waiting.values()
        self.waiting.clear()
        self.foreign = 0

    def forget_stream(self) -> None:
        """The stream is gone, and every entry with it."""
        self.withdraw()
        self.exists = False
        self.unreadable = 0
        self.taken.clear()
        self.unfinished.clear()

    def _note_taken(self, task: QueuedTask, entry_id: bytes) -> None:
        ids = self.taken.setdefault(task, [])
        if entry_id not in ids:
            ids.append(entry_id)


class Windows:
    """The windows of every key that is in use."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._by_key: dict[TaskKey, Window] = {}

    def __iter__(self) -> Iterator[Window]:
        return iter(self._by_key.values())

    def get(self, key: TaskKey) -> Window | None:
        return self._by_key.get(key)

    def of(self, key: TaskKey) -> Window:
        window = self._by_key.get(key)
        if window is None:
            window = self._by_key[key] = Window(key, self._names.stream(key))
        return window

    def drop(self, window: Window) -> None:
        del self._by_key[window.key]

    def drop_unused(self) -> None:
        """Forget keys that are neither in use nor known to have a stream."""
        for window in [each for each in self if each.unused and not each.exists]:
            self.drop(window)

    def withdraw(self) -> None:
        for window in self:
            window.withdraw()

    def forget_streams(self) -> None:
        for window in self:
            window.forget_stream()

    def clear(self) -> None:
        self._by_key.clear()

"""What is known of the tasks of one key that wait for a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sched_server.queue.port import QueuedTask
    from sched_server.store.port import TaskRow

__all__ = ["Backlog"]


class Backlog:
    """The queue has a window of them; their rows have all."""

    __slots__ = ("anew", "cursor", "late", "pumping", "reading", "refill", "woken")

    def __init__(self) -> None:
        self.refill = False
        """The store may have ready tasks of this key that the queue has not."""
        self.cursor: TaskRow | None = None
        """The last row that the refill has read; None: it begins anew."""
        self.anew = False
        """Set during a refill: what it read does not count."""
        self.reading = False
        self.late: list[tuple[QueuedTask, int]] = []
        """Tasks (and since when they are ready) that came during a read, which
        may have missed their rows."""
        self.pumping = False
        self.woken = False
        """Something came while it was pumped, perhaps behind the last take."""

    def will_read(self, ready_since_us: int) -> bool:
        """Whether the refill has the row still before it."""
        cursor = self.cursor
        return self.refill and (cursor is None or ready_since_us > cursor.ready_since_us)

    def begin_anew(self) -> None:
        self.refill, self.cursor, self.anew = True, None, True

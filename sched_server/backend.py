"""Which store, queue and leadership an engine has, from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sched_server.leadership.port import Leadership
    from sched_server.queue.port import TaskQueue
    from sched_server.settings import EngineSettings
    from sched_server.store.port import Store


class Backend(Protocol):
    """The outside of an engine process."""

    @property
    def solo(self) -> bool:
        """No other engine can use this store at the same time."""
        ...

    @property
    def store(self) -> Store: ...

    def queue(self) -> TaskQueue:
        """A queue for one term."""
        ...

    def leadership(self, address: str) -> Leadership:
        """A candidacy for one term."""
        ...


class SqliteBackend:
    """One engine, one file."""

    solo = True

    def __init__(self, settings: EngineSettings) -> None:
        from sched_server.store.sqlite import SqliteStore

        self.store: Store = SqliteStore(settings.db)

    def queue(self) -> TaskQueue:
        from sched_server.queue.memory import MemoryTaskQueue

        return MemoryTaskQueue()

    def leadership(self, address: str) -> Leadership:
        from sched_server.leadership.file import FileLeadership

        return FileLeadership(address)


def backend_of(settings: EngineSettings) -> Backend:
    return SqliteBackend(settings)

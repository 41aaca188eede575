"""Which store, queue and leadership an engine has, from its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sched_server.leadership.port import Leadership
    from sched_server.machine import Machine
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
        """A queue for one term; the store is open."""
        ...

    def leadership(self, address: str, machine: Machine) -> Leadership:
        """A candidacy for one term."""
        ...


class SqliteBackend:
    """One engine, one file."""

    solo = True

    def __init__(self, settings: EngineSettings) -> None:
        from sched_server.store.sqlite import SqliteStore

        self._settings = settings
        self.store: Store = SqliteStore(settings.db)

    def queue(self) -> TaskQueue:
        return _queue_of(self._settings, self.store.cluster_id)

    def leadership(self, address: str, machine: Machine) -> Leadership:  # noqa: ARG002 - a file has no lease
        from sched_server.leadership.file import FileLeadership

        return FileLeadership(address)


class PostgresBackend:
    """Several engines, one database; they take turns."""

    solo = False

    def __init__(self, settings: EngineSettings) -> None:
        from sched_server.store.postgres import PostgresStore

        self._settings = settings
        self.store: Store = PostgresStore(
            settings.postgres_dsn,
            migrate=settings.migrate,
            migration_wait_s=settings.migration_wait_s,
        )

    def queue(self) -> TaskQueue:
        return _queue_of(self._settings, self.store.cluster_id)

    def leadership(self, address: str, machine: Machine) -> Leadership:
        from sched_server.leadership.postgres import PostgresLeadership

        settings = self._settings
        return PostgresLeadership(
            settings.postgres_dsn,
            address=address,
            lock_key=settings.lock_key,
            clock=machine.lease_clock,
        )


def _queue_of(settings: EngineSettings, cluster_id: str) -> TaskQueue:
    if not settings.redis_url:
        from sched_server.queue.memory import MemoryTaskQueue

        return MemoryTaskQueue()
    from sched_server.queue.redis import RedisTaskQueue

    # Tasks are numbers of rows. Clusters that share a Redis must not read each
    # other's, whatever their options say; so the database says who this is.
    return RedisTaskQueue(settings.redis_url, prefix=f"sched:{cluster_id}")


def backend_of(settings: EngineSettings) -> Backend:
    return PostgresBackend(settings) if settings.postgres_dsn else SqliteBackend(settings)

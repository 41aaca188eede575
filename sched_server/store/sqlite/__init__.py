"""The store on SQLite: one file, one process, no server."""

from sched_server.store.sqlite.adapter import MEMORY, SqliteStore

__all__ = ["MEMORY", "SqliteStore"]

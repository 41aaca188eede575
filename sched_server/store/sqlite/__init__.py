"""The store on SQLite: one file, one process, no server."""

from sched_server.store.sqlite.adapter import MEMORY, SqliteStore
from sched_server.store.sqlite.migrator import SqliteMigrator

__all__ = ["MEMORY", "SqliteMigrator", "SqliteStore"]

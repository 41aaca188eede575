"""The store on Postgres: what several engines of a cluster share."""

from sched_server.store.postgres.adapter import PostgresStore
from sched_server.store.postgres.connection import DEFAULT_SCHEMA
from sched_server.store.postgres.migrator import PostgresMigrator
from sched_server.store.postgres.schema import migrate_database

__all__ = ["DEFAULT_SCHEMA", "PostgresMigrator", "PostgresStore", "migrate_database"]

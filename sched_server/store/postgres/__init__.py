"""The store on Postgres: what several engines of a cluster share."""

from sched_server.store.postgres.adapter import PostgresStore
from sched_server.store.postgres.connection import DEFAULT_SCHEMA
from sched_server.store.postgres.schema import MigrationStatus, migrate_database, read_status

__all__ = ["DEFAULT_SCHEMA", "MigrationStatus", "PostgresStore", "migrate_database", "read_status"]

"""Fixtures: a real Postgres."""

from tests.servers.fixtures import postgres_dsn, postgres_schema, postgres_server

__all__ = ["postgres_dsn", "postgres_schema", "postgres_server"]

"""Fixtures around real servers. A conftest that needs them imports them; however
many do, one server is started."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.servers import postgres

_schema_numbers = itertools.count(1)
_database_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_dsn() -> str:
    """A Postgres database; see `tests/servers/postgres.py`."""
    return postgres.server_dsn()


@pytest.fixture
def postgres_schema(postgres_dsn: str) -> Iterator[str]:
    """The name of a schema that does not exist yet; it is dropped after the test."""
    name = f"sched_test_{next(_schema_numbers)}"
    drop = f"DROP SCHEMA IF EXISTS {name} CASCADE"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(drop)
    yield name
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(drop)


@pytest.fixture
def postgres_database(postgres_dsn: str) -> Iterator[str]:
    """The DSN of an empty database; it is dropped after the test. For tests of
    what always works in the same schema, and takes locks of a whole database."""
    with new_database(postgres_dsn) as dsn:
        yield dsn


@pytest.fixture
def stoppable_database(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """The same, on the server that `postgres_server` stops and starts."""
    with new_database(postgres_server.dsn) as dsn:
        yield dsn


@contextmanager
def new_database(dsn: str) -> Iterator[str]:
    """The DSN of an empty database on this server, for as long as the block runs."""
    name = f"sched_test_{next(_database_numbers)}"
    drop = f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    yield urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(drop)


@pytest.fixture
def postgres_server() -> postgres.PostgresServer:
    """The server that this run started: for tests that stop it, and start it again."""
    return postgres.local_server()

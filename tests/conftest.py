"""Fixtures of every test: real servers, started when the first test asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests import replaying, spreading
from tests.replaying import replay_what_ran
from tests.servers import postgres
from tests.spreading import pytest_collection_modifyitems, pytest_xdist_auto_num_workers

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_auto_num_workers", "replay_what_ran"]

spreading.as_at_a_terminal()
spreading.keep_compiled_files()


def pytest_configure(config: pytest.Config) -> None:
    replaying.pytest_configure(config)
    spreading.pytest_configure(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left to chance, so that it can be repeated."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "seeds":
                terminalreporter.write_line(f"simulated: {value}")


_schema_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_dsn() -> str:
    """A Postgres database; see `tests/servers/postgres.py`."""
    return postgres.server_dsn()


@pytest.fixture
def postgres_schema(postgres_dsn: str) -> Iterator[str]:
    """The name of a schema that does not exist yet; it is dropped after the test."""
    import psycopg  # most tests need no driver

    name = f"sched_test_{next(_schema_numbers)}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
        yield name
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
def postgres_server() -> postgres.PostgresServer:
    """The server that this run started: for tests that stop it, and start it again."""
    return postgres.local_server()

"""A Postgres that these tests may kill, and a cluster around a database of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.ha.cluster import HaCluster
from tests.servers.postgres import PostgresServer

_numbers = itertools.count(1)

MakeCluster = Callable[..., HaCluster]


@pytest.fixture(scope="session")
def ha_postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def make_cluster(
    request: pytest.FixtureRequest, ha_postgres: PostgresServer, tmp_path: Path
) -> Iterator[MakeCluster]:
    """`make_cluster(engines=…, workers=…)`, on a new database; nothing is started yet."""
    clusters: list[HaCluster] = []

    def make(*, engines: int = 2, workers: int = 2) -> HaCluster:
        name = f"ha_{next(_numbers)}"
        with psycopg.connect(ha_postgres.dsn, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        dsn = make_conninfo(ha_postgres.dsn, dbname=name)
        clusters.append(HaCluster(tmp_path, dsn, engines=engines, workers=workers))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.stop()
        cluster.show_logs()  # pytest shows them if the test failed

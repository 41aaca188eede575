"""Two engines on one Postgres: who is ready, and what a failover looks like."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from sched_server import EngineServer, EngineSettings
from tests.observability.scraping import get, get_until, scrape, scrape_until

_DATABASE = "observability"


@pytest.fixture
def dsn(postgres_dsn: str) -> Iterator[str]:
    """A database of its own."""
    drop = f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(f"CREATE DATABASE {_DATABASE}")
    yield make_conninfo(postgres_dsn, dbname=_DATABASE)
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(drop)


async def test_a_standby_is_not_ready_until_it_takes_over(dsn: str) -> None:
    settings = EngineSettings(postgres_dsn=dsn, migrate=True, port=0, metrics_port=0)
    leader, standby = EngineServer(settings), EngineServer(settings)
    try:
        await leader.start()
        await scrape_until(leader.metrics_url, lambda s: s("sched_leader") == 1)
        await standby.start()
        reply = await get_until(standby.metrics_url, "/readyz", lambda r: leader.address in r.body)
        assert reply.status == 503
        assert reply.body == f"this engine stands by; the leader is at {leader.address}\n"
        waiting = await scrape(standby.metrics_url)
        assert (waiting("sched_leader"), waiting("sched_epoch")) == (0, 0)
        before = await scrape(leader.metrics_url)
        assert before("sched_failovers_total") == 0, "it followed nobody"

        await leader.stop(0)
        after = await scrape_until(standby.metrics_url, lambda s: s("sched_leader") == 1)
        assert after("sched_failovers_total") == 1
        assert after("sched_epoch") > before("sched_epoch")
        assert (await get(standby.metrics_url, "/readyz")).status == 200
    finally:
        await leader.stop(0)
        await standby.stop(0)

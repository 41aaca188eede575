"""What happens to a leader in the moments in which it reads where everything stands.

A lock on the table of tasks holds that moment for as long as a test needs it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg

from tests.ha.cluster import HaCluster, until
from tests.ha.load import next_workflow, under_load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.ha.conftest import MakeCluster
    from tests.servers.postgres import PostgresServer


@asynccontextmanager
async def recovery_held_up(cluster: HaCluster) -> AsyncIterator[None]:
    """Who begins to lead meanwhile has raised the epoch, and waits for its first read."""
    connection = await psycopg.AsyncConnection.connect(cluster.dsn)
    try:
        await connection.execute("LOCK TABLE sched.tasks IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        await connection.close()


async def recovers(cluster: HaCluster, epoch: int) -> None:
    async def began() -> bool:
        return await cluster.epoch() >= epoch

    await until(began, f"somebody begins with epoch {epoch}")


async def test_postgres_is_killed_while_a_leader_recovers(
    make_cluster: MakeCluster, ha_postgres: PostgresServer
) -> None:
    cluster = make_cluster(workers=1)
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        leader, epoch = await cluster.leader(), await cluster.epoch()
        await cluster.stands_by(1 - leader)
        async with recovery_held_up(cluster):
            cluster.engines[leader].kill()
            await recovers(cluster, epoch + 1)
            await asyncio.to_thread(ha_postgres.crash)
        await asyncio.to_thread(ha_postgres.start)
        await next_workflow(client)
        assert await cluster.leader() == 1 - leader
        assert await cluster.epoch() >= epoch + 2, "it began anew"


async def test_two_leaders_recover_at_once(make_cluster: MakeCluster) -> None:
    """The first is told to stop while it still waits for what it asked; what it
    then reads, and what it would do about it, is of the past."""
    cluster = make_cluster(engines=3, workers=1)
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        leader, epoch = await cluster.leader(), await cluster.epoch()
        for number in range(3):
            if number != leader:
                await cluster.stands_by(number)
        async with recovery_held_up(cluster):
            cluster.engines[leader].kill()
            await recovers(cluster, epoch + 1)
            assert await cluster.end_lock_session() == 1
            await recovers(cluster, epoch + 2)
        await next_workflow(client)
        heir = await cluster.leader()
        loser = 3 - leader - heir
        await cluster.stands_by(loser)
        assert await cluster.leader() == heir
        assert await cluster.epoch() == epoch + 2, "nobody took it from the second"
    assert "leadership" in cluster.engines[loser].log

"""The leader dies, or loses its lock: the standby goes on with every workflow."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.ha.cluster import until
from tests.ha.load import next_workflow, under_load

if TYPE_CHECKING:
    from tests.ha.conftest import MakeCluster
    from tests.servers.postgres import PostgresServer


async def test_three_leaders_are_killed(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(workers=3)
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        for _ in range(3):
            leader = await cluster.leader()
            await cluster.stands_by(1 - leader)
            cluster.engines[leader].kill()
            taken = await next_workflow(client)
            print(f"killed: {taken:.3f} s to the end of the next workflow")
            cluster.engines[leader].start()
    assert not cluster.leaders_deposed()


async def test_the_session_of_the_lock_is_ended(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        leader, epoch = await cluster.leader(), await cluster.epoch()
        heir = 1 - leader
        await cluster.stands_by(heir)
        began = time.monotonic()
        assert await cluster.end_lock_session() == 1
        await until(lambda: cluster.has_role(heir, "LEADER"), f"engine {heir} leads")
        await next_workflow(client)
        taken = time.monotonic() - began
        print(f"lock session ended: {taken:.3f} s to the end of the next workflow")
        assert await cluster.epoch() == epoch + 1
        await cluster.stands_by(leader)
    assert "lost the leadership" in cluster.engines[leader].log
    assert not cluster.leaders_deposed()


async def test_a_standby_starts_while_another_takes_over(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(engines=3)
    first, second, third = cluster.engines
    for member in (first, second, *cluster.workers):
        member.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        leader = await cluster.leader()
        await cluster.stands_by(1 - leader)
        third.start()  # about when it campaigns, the leader is gone
        cluster.engines[leader].kill()
        await next_workflow(client)
        assert await cluster.leader() == 1 - leader
        await cluster.stands_by(2)
        cluster.engines[1 - leader].kill()
        await next_workflow(client)
        assert await cluster.leader() == 2
    assert not cluster.leaders_deposed()


async def test_postgres_is_killed(make_cluster: MakeCluster, ha_postgres: PostgresServer) -> None:
    cluster = make_cluster()
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        await cluster.leader()
        await asyncio.to_thread(ha_postgres.crash)
        await asyncio.to_thread(ha_postgres.start)
        taken = await next_workflow(client)
        print(f"Postgres killed: {taken:.3f} s from its return to the end of the next workflow")
        leader = await cluster.leader()
        await cluster.stands_by(1 - leader)

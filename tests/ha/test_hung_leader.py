"""The leader lives, but cannot lead: frozen, or cut off from Postgres.

Its lock stays granted until the standby has seen it silent for too long and
ends its session. What it still wants to do afterwards must come to nothing.
"""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING

import pytest

from sched_sdk import Client
from sched_server.store.port import CommitBatch, FencedError
from sched_server.store.postgres import PostgresStore
from tests.crash import app
from tests.ha.load import next_workflow, under_load
from tests.servers.proxy import proxied

if TYPE_CHECKING:
    from tests.ha.cluster import HaCluster
    from tests.ha.conftest import MakeCluster

FROZEN_S = 15.0
# The standby leads after three and a half seconds. Clients and workers of a frozen
# leader notice by themselves, the latter within eight seconds of the last data.
TAKEN_OVER_WITHIN_S = 14.0
CUT_OFF_WITHIN_S = 7.0


async def test_a_frozen_leader_comes_back_as_a_zombie(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        zombie = await cluster.leader()
        heir = 1 - zombie
        await cluster.stands_by(heir)
        epoch = await cluster.epoch()
        async with await Client.connect(cluster.addresses[zombie]) as loyal:
            cluster.engines[zombie].signal(signal.SIGSTOP)
            frozen = time.monotonic()
            # It lies in the zombie's socket, to be read before anything else.
            asked = asyncio.ensure_future(loyal.start_workflow(app.steps, 1, id="of the zombie"))
            taken = await next_workflow(client)
            print(f"frozen: {taken:.3f} s to the end of the next workflow")
            assert taken < TAKEN_OVER_WITHIN_S
            assert client._connection.current_address == cluster.addresses[heir]
            assert await cluster.epoch() == epoch + 1
            await asyncio.sleep(frozen + FROZEN_S - time.monotonic())
            assert not asked.done()
            cluster.engines[zombie].signal(signal.SIGCONT)
            await cluster.stands_by(zombie)
            assert not asked.done(), "an engine that leads no more has promised something"
            asked.cancel()
            await asyncio.wait([asked])
        assert not [run async for run in client.list_workflows(id_prefix="of the zombie")]
        assert await cluster.leader() == heir
        await _assert_fenced(cluster, epoch)
    assert cluster.leaders_deposed()
    assert "lost the leadership" in cluster.engines[zombie].log


async def test_the_leader_is_cut_off_from_postgres(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    async with proxied(cluster.dsn) as network:
        cluster.reach_postgres_by(network.dsn, engine=0)
        cluster.engines[0].start()
        assert await cluster.leader() == 0
        cluster.start_others()
        await cluster.stands_by(1)
        async with await cluster.connect() as client, under_load(cluster, client):
            epoch = await cluster.epoch()
            network.swallow()
            taken = await next_workflow(client)
            print(f"cut off: {taken:.3f} s to the end of the next workflow")
            assert taken < CUT_OFF_WITHIN_S
            assert await cluster.leader(other_than=0) == 1
            assert await cluster.epoch() == epoch + 1
            network.heal()
            await cluster.stands_by(0)
            assert await cluster.leader() == 1
            await _assert_fenced(cluster, epoch)


async def _assert_fenced(cluster: HaCluster, epoch: int) -> None:
    """Nothing can be written in the name of an epoch that is over."""
    store = PostgresStore(cluster.dsn)
    await store.open()
    try:
        with pytest.raises(FencedError):
            await store.commit(CommitBatch(shard_group=0, epoch=epoch, groups=[]))
    finally:
        await store.close()

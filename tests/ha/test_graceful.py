"""Engines and workers that are stopped in good order: nobody waits, nobody fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sched_sdk._client.cluster import ask_status
from sched_sdk.api.v1 import worker_service_pb2, worker_service_pb2_grpc
from tests.ha.cluster import until
from tests.ha.load import next_workflow, under_load

if TYPE_CHECKING:
    from tests.ha.cluster import HaCluster
    from tests.ha.conftest import MakeCluster


async def test_of_two_candidates_one_leads_and_the_other_names_it(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster(workers=0)
    cluster.start()
    leader = await cluster.leader()
    standby = 1 - leader
    await cluster.stands_by(standby)
    serving = health_pb2.HealthCheckResponse
    assert await _health(cluster.addresses[leader]) == serving.SERVING
    assert await _health(cluster.addresses[standby]) == serving.NOT_SERVING
    status = await ask_status(cluster.addresses[standby], timeout=5)
    assert status.leader_address == cluster.addresses[leader]
    assert [other.address for other in status.standbys] == [cluster.addresses[standby]]
    # It asks the database five times a second who leads.
    await until(lambda: _refuses_and_names(cluster, standby, leader), "the leader is named")


async def _refuses_and_names(cluster: HaCluster, standby: int, leader: int) -> bool:
    async with grpc.aio.insecure_channel(cluster.addresses[standby]) as channel:
        stub = worker_service_pb2_grpc.WorkerServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.CompleteActivity(worker_service_pb2.CompleteActivityRequest())
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    metadata: Any = refused.value.trailing_metadata()  # a mapping, whatever the type stubs say
    address = cluster.addresses[leader]
    return metadata.get("sched-leader") == address and address in str(refused.value.details())


async def _health(address: str) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest())
    return int(reply.status)


async def test_a_leader_that_is_stopped_hands_over_at_once(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        leader = await cluster.leader()
        await cluster.stands_by(1 - leader)
        stopping = asyncio.ensure_future(cluster.terminate(cluster.engines[leader]))
        taken = await next_workflow(client)
        print(f"SIGTERM: {taken:.3f} s to the end of the next workflow")
        print(f"SIGTERM: gone after {await stopping:.3f} s")
        assert await cluster.leader() == 1 - leader
    assert not cluster.leaders_deposed()


async def test_engines_and_workers_are_replaced_one_by_one(make_cluster: MakeCluster) -> None:
    cluster = make_cluster()
    cluster.start()
    async with await cluster.connect() as client, under_load(cluster, client):
        for number, engine in enumerate(cluster.engines):
            await cluster.terminate(engine)
            engine.start()
            await cluster.stands_by(number)
            taken = await next_workflow(client)
            print(f"engine {number} replaced: {taken:.3f} s for the next workflow")
        for worker in cluster.workers:
            await cluster.terminate(worker)
            await next_workflow(client)
            worker.start()
            await cluster.has_workers(2)

"""What every gRPC server should answer: health, and what it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sched_server import EngineServer, EngineSettings


async def _requests() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
    yield reflection_pb2.ServerReflectionRequest(list_services="")


async def test_health_and_reflection_name_the_services() -> None:
    server = EngineServer(EngineSettings(db=":memory:", port=0))
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            request = health_pb2.HealthCheckRequest(service="sched.v1.WorkflowService")
            health = await health_pb2_grpc.HealthStub(channel).Check(request)
            answers = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
                _requests()
            )
            answer = await anext(aiter(answers))
            answers.cancel()
    finally:
        await server.stop()
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert {service.name for service in answer.list_services_response.service} >= {
        "sched.v1.ClusterService",
        "sched.v1.WorkerService",
        "sched.v1.WorkflowService",
    }

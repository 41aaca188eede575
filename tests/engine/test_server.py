"""An engine with its port: what it answers, how it starts, how it ends."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sched_sdk._client.cluster import ask_status
from sched_sdk.api.v1 import workflow_service_pb2, workflow_service_pb2_grpc
from sched_server import EngineServer, EngineSettings, EngineStartError, Role, Standing
from sched_server.core.inputs import StartWorkflow
from sched_server.engine import IdConflict
from sched_server.errors import Unavailable
from sched_server.store.sqlite import SqliteStore
from tests.crash.processes import free_port


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


# --- starting ---------------------------------------------------------------------------


def may_listen(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
        return True


async def test_a_start_that_fails_gives_its_ports_back(tmp_path: Path) -> None:
    path = tmp_path / "taken.db"
    holder = SqliteStore(path)
    await holder.open()
    port, metrics_port = free_port(), free_port()
    server = EngineServer(EngineSettings(db=path, port=port, metrics_port=metrics_port))
    with pytest.raises(EngineStartError):
        await server.start()
    assert may_listen(port)
    assert may_listen(metrics_port)
    await server.stop()  # nothing to do
    await holder.close()
    another = EngineServer(EngineSettings(db=path, port=port))
    await another.start()
    await another.stop(0)


async def test_a_first_term_that_fails_gives_its_port_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise RuntimeError("the rows are not to be understood")

    monkeypatch.setattr(SqliteStore, "acquire", refuse)
    settings = EngineSettings(db=tmp_path / "broken.db", port=free_port())
    with pytest.raises(EngineStartError, match="not to be understood"):
        await EngineServer(settings).start()
    assert may_listen(settings.port)
    store = SqliteStore(tmp_path / "broken.db")
    await store.open()  # it is nobody's any more
    await store.close()


async def test_whoever_embeds_it_hears_of_its_standing() -> None:
    server = EngineServer(EngineSettings(db=":memory:", port=0))
    await server.start()
    heard: list[Standing] = []
    server.on_standing(heard.append)
    assert heard == [Standing(Role.LEADER, server.engine.group.epoch, server.address)]
    await server.host.backend.store.acquire(0, "another engine")
    start = StartWorkflow(workflow_id="w", run_id="", workflow_type="W", task_queue="q")
    with pytest.raises(Unavailable, match="does not lead any more"):
        await server.engine.start(start, IdConflict.FAIL)
    async with asyncio.timeout(5):
        await server.wait()
    assert [standing.role for standing in heard] == [Role.LEADER, Role.STANDBY]


# --- stopping ---------------------------------------------------------------------------


@asynccontextmanager
async def somebody_waits(server: EngineServer) -> AsyncIterator[asyncio.Future[object]]:
    """A call that does not end by itself."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = workflow_service_pb2_grpc.WorkflowServiceStub(channel)
        start = workflow_service_pb2.StartWorkflowRequest(
            workflow_id="waits", workflow_type="Waits", task_queue="q", request_id="r"
        )
        await stub.StartWorkflow(start)
        request = workflow_service_pb2.GetWorkflowResultRequest(workflow_id="waits", wait_ms=60_000)
        call = asyncio.ensure_future(stub.GetWorkflowResult(request))
        run_key = server.engine.group.cache.get_open("waits").run_key
        async with asyncio.timeout(5):
            while run_key not in server.engine.group.watchers._results:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        yield call
        await asyncio.wait([call])
        call.exception()


async def test_a_second_stop_waits_for_the_first_and_shortens_its_grace() -> None:
    server = EngineServer(EngineSettings(db=":memory:", port=0))
    await server.start()
    async with asyncio.timeout(10), somebody_waits(server) as call:
        first = asyncio.ensure_future(server.stop(30))
        second = asyncio.ensure_future(server.stop(30))
        done, _ = await asyncio.wait([first, second], timeout=0.1)
        assert not done, "the call is still under way"
        assert not call.done()
        await server.stop(0)
        assert server._stopped.is_set(), "it returned when everything was let go"
        await first
        await second


async def test_a_caller_who_goes_away_does_not_break_the_stop_off() -> None:
    server = EngineServer(EngineSettings(db=":memory:", port=0))
    await server.start()
    impatient = asyncio.ensure_future(server.stop(0))
    async with asyncio.timeout(5):
        while server._stopping is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
        impatient.cancel()
        await server.wait()


# --- a store that does not answer ---------------------------------------------------------


async def test_the_status_of_an_engine_on_a_slow_disk(tmp_path: Path) -> None:
    server = EngineServer(EngineSettings(db=tmp_path / "slow.db", port=0))
    await server.start()
    slow = threading.Event()
    try:
        before = await ask_status(server.address, timeout=5)
        assert before.store_status.connected
        assert before.store_status.last_error == ""
        reader = server.host.backend.store._reader  # type: ignore[attr-defined]  # its thread
        reader.submit(lambda _: slow.wait(20))
        during = await asyncio.gather(*(ask_status(server.address, timeout=15) for _ in range(20)))
        assert {status.role for status in during} == {"LEADER"}
        assert during[0].leader_address == server.address
        assert during[0].epoch == before.epoch
        told = during[0].store_status
        assert not told.connected
        assert "slow.db has not answered within 1.5 s" in told.last_error
        slow.set()
        after = await ask_status(server.address, timeout=5)
        assert after.store_status.connected
    finally:
        slow.set()
        await server.stop(0)

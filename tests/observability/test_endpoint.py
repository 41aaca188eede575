"""The endpoint of an engine: health, refusals, ports, and clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

import pytest

from sched_sdk import Client
from sched_server import EngineServer, EngineSettings, EngineStartError
from sched_server.observability import endpoint
from tests.observability.scraping import get, get_until, scrape, send
from tests.worker.waiting import until


async def test_a_serving_engine_is_alive_and_ready(engine: EngineServer) -> None:
    for path in ("/healthz", "/readyz"):
        reply = await get(engine.metrics_url, path)
        assert (reply.status, reply.body) == (200, "ok\n")


async def test_readiness_ends_before_the_answers_do(engine: EngineServer, client: Client) -> None:
    """Whoever sends requests by it has the grace to stop."""
    handle = await client.start_workflow("Nobody")
    # A call that is being answered keeps the engine from ending at once.
    stub = _waiting_call(engine.address, handle.id)
    await until(lambda: engine.engine.group.watchers._followers)
    stopping = asyncio.create_task(engine.stop(5))
    try:
        reply = await get_until(engine.metrics_url, "/readyz", lambda r: r.status != 200)
        assert (reply.status, reply.body) == (503, "this engine is stopping\n")
        assert (await get(engine.metrics_url, "/healthz")).status == 200
        assert (await scrape(engine.metrics_url))("sched_workflows_started_total") == 1
    finally:
        stub.cancel()
        await asyncio.gather(stub, return_exceptions=True)
        await stopping
    with pytest.raises(OSError, match="onnect"):
        await get(engine.metrics_url, "/healthz")


def _waiting_call(address: str, workflow_id: str) -> asyncio.Task[object]:
    import grpc.aio

    from sched_sdk.api.v1 import workflow_service_pb2 as pb
    from sched_sdk.api.v1.workflow_service_pb2_grpc import WorkflowServiceStub

    async def wait() -> object:
        async with grpc.aio.insecure_channel(address) as channel:
            request = pb.FollowHistoryRequest(workflow_id=workflow_id)
            async for _ in WorkflowServiceStub(channel).FollowHistory(request):
                pass
        return None

    return asyncio.create_task(wait())


async def test_an_engine_that_lost_its_leadership_is_not_ready(engine: EngineServer) -> None:
    engine.host._lost("for the test")
    await until(lambda: engine.host.engine is None)
    with contextlib.suppress(OSError):  # without a rival, it ends; perhaps it is quicker
        assert (await get(engine.metrics_url, "/readyz")).status == 503
    await engine.wait()


async def test_both_formats_that_scrapers_ask_for(engine: EngineServer) -> None:
    plain = await get(engine.metrics_url)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    modern = await get(engine.metrics_url, accept="application/openmetrics-text; version=1.0.0")
    assert modern.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert modern.body.endswith("# EOF\n")
    assert "sched_workflows_started_total 0.0" in modern.body


async def test_a_query_does_not_matter(engine: EngineServer) -> None:
    assert (await get(engine.metrics_url, "/healthz?verbose=1")).status == 200


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n", 404),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    ],
)
async def test_what_is_no_request_for_a_page(
    engine: EngineServer, request_bytes: bytes, status: int
) -> None:
    answer = await send(engine.metrics_url, request_bytes)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert (b"Allow: GET" in answer) == (status == 405)
    assert (await get(engine.metrics_url, "/healthz")).status == 200


async def test_a_client_that_hangs_up_or_says_nothing(
    engine: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_TIMEOUT_S", 0.05)
    parts = urlsplit(engine.metrics_url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"GET /met")
    writer.close()
    reader, silent = await asyncio.open_connection(parts.hostname, parts.port)
    assert await asyncio.wait_for(reader.read(), 5) == b"", "it is cut off"
    silent.close()
    assert (await get(engine.metrics_url, "/healthz")).status == 200


async def test_more_clients_than_there_is_room_for(
    engine: EngineServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "_CONNECTIONS", 2)
    parts = urlsplit(engine.metrics_url)
    streams = [await asyncio.open_connection(parts.hostname, parts.port) for _ in range(3)]
    reads = [asyncio.create_task(reader.read()) for reader, _ in streams]
    done, _ = await asyncio.wait(reads, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [b""], "one is turned away"
    for _, writer in streams:
        writer.close()
    await asyncio.gather(*reads, return_exceptions=True)


async def test_it_listens_on_loopback_only(engine: EngineServer) -> None:
    assert urlsplit(engine.metrics_url).hostname == "127.0.0.1"


async def test_without_a_port_nothing_listens() -> None:
    server = EngineServer(EngineSettings(db=":memory:", port=0))
    await server.start()
    assert (server.metrics_url, server.metrics_port) == ("", 0)
    await server.stop(0)


async def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = EngineServer(EngineSettings(db=":memory:", port=0, metrics_port=port))
        with pytest.raises(EngineStartError, match=rf"127\.0\.0\.1:{port}.*--metrics-port"):
            await server.start()


async def test_a_port_that_may_differ_gives_way() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = EngineServer(
            EngineSettings(db=":memory:", port=0, metrics_port=port, metrics_port_may_differ=True)
        )
        await server.start()
        try:
            assert server.metrics_port not in (0, port)
            assert (await get(server.metrics_url, "/readyz")).status == 200
        finally:
            await server.stop(0)

"""Clients, workers and engines that accept each other, and those that do not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sched_sdk import (
    TLS,
    AuthenticationError,
    Client,
    DefinitionError,
    EngineUnavailableError,
    InvalidArgumentError,
    SyncClient,
    Worker,
    WorkflowContext,
    workflow,
)
from sched_sdk.api.v1 import workflow_service_pb2, workflow_service_pb2_grpc
from tests.security.conftest import OLD_TOKEN, TOKEN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.security.certificates import Certificates
    from tests.security.conftest import Serve


@workflow(name="Greeting")
async def greeting(ctx: WorkflowContext, name: str) -> str:
    await ctx.sleep(0)
    return f"Hello, {name}"


async def refused(address: str, tls: TLS | None = None, token: str | None = None) -> str:
    """What the error says; it comes at once, and not when patience is over."""
    with pytest.raises(AuthenticationError) as caught:
        await Client.connect(address, tls=tls, token=token, timeout=60)
    return str(caught.value)


async def test_work_is_done_by_tls_and_token(
    certs: Certificates, serve: Serve, token_file: str
) -> None:
    shown = TLS(certs.ca, certs.client.cert, certs.client.key)
    async with serve(
        tls_cert=certs.engine.cert,
        tls_key=certs.engine.key,
        tls_client_ca=certs.ca,
        token_file=token_file,
    ) as address:
        async with (
            await Client.connect(address, tls=shown, token=TOKEN) as client,
            Worker(address, tls=shown, token=OLD_TOKEN, workflows=[greeting]),
        ):
            handle = await client.start_workflow(greeting, "Ada", id="g")
            assert await handle.result() == "Hello, Ada"
            events = [event.type async for event in handle.history()]
            assert [event.type async for event in handle.history(follow=True)] == events
        async with (
            await Client.connect(address, tls=shown, token=TOKEN) as client,
            Worker(client, workflows=[greeting]),
        ):
            assert await client.execute_workflow(greeting, "Bob") == "Hello, Bob"

        def ask() -> int:
            with SyncClient.connect(address, tls=shown, token=TOKEN) as client:
                return client.count_workflows().total

        assert await asyncio.to_thread(ask) == 2


async def test_what_keeps_tls_apart_is_said(certs: Certificates, serve: Serve) -> None:
    engine = {"tls_cert": certs.engine.cert, "tls_key": certs.engine.key}
    async with serve(**engine) as address:
        assert await refused(address) == (
            f"{address} speaks TLS, and this caller does not. Turn it on: --tls or --tls-ca, "
            "SCHED_TLS=1, or tls=TLS(…)."
        )
        assert "is not trusted. Name the CA" in await refused(address, TLS(certs.other_ca))
        assert "is not trusted. Name the CA" in await refused(address, TLS())
        wrong_name = await refused(address, TLS(certs.ca, server_name="engine.example"))
        assert "is for another name" in wrong_name
    named = TLS(certs.ca, server_name="engine.example")
    async with (
        serve(tls_cert=certs.elsewhere.cert, tls_key=certs.elsewhere.key) as address,
        await Client.connect(address, tls=named) as client,
    ):
        assert (await client.count_workflows()).total == 0
    async with serve(tls_cert=certs.expired.cert, tls_key=certs.expired.key) as address:
        assert "has expired" in await refused(address, certs.tls)
    async with serve() as address:
        assert f"{address} speaks no TLS" in await refused(address, certs.tls)


async def test_callers_show_a_certificate_where_they_have_to(
    certs: Certificates, serve: Serve
) -> None:
    async with serve(
        tls_cert=certs.engine.cert, tls_key=certs.engine.key, tls_client_ca=certs.ca
    ) as address:
        assert "asks callers for a certificate" in await refused(address, certs.tls)
        other = TLS(certs.ca, certs.other_client.cert, certs.other_client.key)
        assert "does not accept the certificate" in await refused(address, other)
        assert "speaks TLS" in await refused(address)


async def test_a_token_is_asked_for_by_every_call(serve: Serve, token_file: str) -> None:
    async with serve(token_file=token_file) as address:
        missing, wrong = await refused(address), await refused(address, token="x" * 20)
        assert missing.startswith("this engine asks for a token, and the call has none")
        assert wrong.startswith("this engine does not know the token of the call")
        assert not any(token in missing + wrong for token in (TOKEN, OLD_TOKEN, "xxx"))
        with pytest.raises(AuthenticationError):
            async with asyncio.timeout(30):
                await Worker(address, token="x" * 20, workflows=[greeting]).run()
        async with grpc.aio.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            count = workflow_service_pb2_grpc.WorkflowServiceStub(channel).CountWorkflows
            request = workflow_service_pb2.CountWorkflowsRequest()
            for header in (None, f"Bearer {TOKEN}x", TOKEN, f"Basic {TOKEN}", "Bearer "):
                metadata = None if header is None else [("authorization", header)]
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await count(request, metadata=metadata)
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert (
                await count(request, metadata=[("authorization", f"bearer {TOKEN}")])
            ) is not None
            reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await reflection.ServerReflectionInfo(
                    iter([reflection_pb2.ServerReflectionRequest(list_services="")])
                ).read()
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_client_that_is_refused_later_fails_its_calls_and_recovers(
    serve: Serve, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text(TOKEN)
    async with serve(token_file=str(file)) as address:
        port = int(address.rpartition(":")[2])
        client = await Client.connect(address, token=TOKEN)
    file.write_text(OLD_TOKEN)
    async with client, asyncio.timeout(60):
        async with serve_at(serve, port, str(file)):
            with pytest.raises(AuthenticationError):
                await client.count_workflows()
            with pytest.raises(AuthenticationError):
                await client.cluster_status()
        file.write_text(f"{OLD_TOKEN}\n{TOKEN}")
        async with serve_at(serve, port, str(file)):
            assert (await client.count_workflows()).total == 0


async def test_an_engine_that_is_away_is_waited_for_though_another_refuses(
    serve: Serve, token_file: str
) -> None:
    async with (
        serve(token_file=token_file) as strict,
        serve() as free,
        await Client.connect(f"{strict},{free}") as client,
    ):
        assert (await client.count_workflows()).total == 0
    with pytest.raises(EngineUnavailableError):
        await Client.connect(strict, timeout=0.3)


async def test_the_environment_says_all_where_no_address_is_given(
    certs: Certificates, serve: Serve, token_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(
        tls_cert=certs.engine.cert, tls_key=certs.engine.key, token_file=token_file
    ) as address:
        monkeypatch.setenv("SCHED_ENGINE_ADDRESS", address)
        monkeypatch.setenv("SCHED_TLS_CA", certs.ca)
        monkeypatch.setenv("SCHED_TOKEN_FILE", token_file)
        async with await Client.connect() as client, Worker(workflows=[greeting]):
            assert await client.execute_workflow(greeting, "Eve") == "Hello, Eve"
        assert "speaks TLS" in await refused(address)


def test_what_cannot_be_used_is_named(certs: Certificates, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("garbage")
    cases = {
        TLS(missing): f"the CA certificate {missing} cannot be read: No such file",
        TLS(garbage): f"{garbage} has no certificate in PEM",
        TLS(cert_file=certs.client.cert): "takes cert_file and key_file together",
        TLS(cert_file=certs.client.cert, key_file=certs.engine.key): "does not belong to",
    }
    for tls, text in cases.items():
        with pytest.raises(InvalidArgumentError, match=text):
            Worker("localhost", tls=tls, workflows=[greeting])
    for token in ("", "with space", "new\nline", "ümlaut"):
        with pytest.raises(InvalidArgumentError, match="the token is empty, or has spaces"):
            Worker("localhost", token=token, workflows=[greeting])


async def test_a_worker_connects_as_its_client_does(serve: Serve) -> None:
    async with serve() as address, await Client.connect(address) as client:
        with pytest.raises(DefinitionError, match="as its client does"):
            Worker(client, token=TOKEN, workflows=[greeting])


def serve_at(serve: Serve, port: int, token_file: str):
    return serve(token_file=token_file, port=port)

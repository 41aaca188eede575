"""A receiver, an engine that traces, and a process that traces, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import opentelemetry.trace
import pytest

from sched_sdk import Client
from sched_server import EngineServer, EngineSettings
from sched_server.observability.otlp import SpanSender
from tests.tracing.receiver import GrpcReceiver, HttpReceiver


@pytest.fixture(autouse=True)
def send_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


@pytest.fixture
def receiver() -> Iterator[GrpcReceiver]:
    receiver = GrpcReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def http_receiver() -> Iterator[HttpReceiver]:
    receiver = HttpReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
async def engine(receiver: GrpcReceiver) -> AsyncIterator[EngineServer]:
    server = EngineServer(
        EngineSettings(db=":memory:", port=0, otlp_endpoint=receiver.url, activity_grace_s=0.2)
    )
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def client(engine: EngineServer) -> AsyncIterator[Client]:
    async with await Client.connect(engine.address) as connected:
        yield connected


@pytest.fixture
async def traced(
    receiver: GrpcReceiver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SpanSender]:
    """This process has a tracer provider, until the test ends."""
    sender = SpanSender(receiver.url, "test")
    # The public way to set it works once in a process.
    monkeypatch.setattr(opentelemetry.trace, "_TRACER_PROVIDER", sender.provider())
    yield sender
    await sender.close()

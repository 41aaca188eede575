"""A receiver, an engine that traces, and a process that traces, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import opentelemetry.trace
import pytest

from sched_server import EngineServer
from sched_server.observability.otlp import SpanSender
from tests.servers.engine import client, engine_here
from tests.tracing.receiver import GrpcReceiver, HttpReceiver

__all__ = ["client"]


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
    async with engine_here(otlp_endpoint=receiver.url, activity_grace_s=0.2) as server:
        yield server


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

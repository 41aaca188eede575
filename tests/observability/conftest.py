"""An engine with an endpoint, and a client, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sched_sdk import Client
from sched_server import EngineServer, EngineSettings
from tests.servers.fixtures import postgres_dsn

__all__ = ["postgres_dsn"]


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    server = EngineServer(EngineSettings(db=":memory:", port=0, metrics_port=0))
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def client(engine: EngineServer) -> AsyncIterator[Client]:
    async with await Client.connect(engine.address) as connected:
        yield connected

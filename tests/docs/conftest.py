"""An engine and a client for each test, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sched_sdk import Client
from sched_server import EngineServer, EngineSettings


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    server = EngineServer(EngineSettings(db=":memory:", port=0, movable_clock=True))
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def client(engine: EngineServer) -> AsyncIterator[Client]:
    async with await Client.connect(engine.address) as connected:
        yield connected

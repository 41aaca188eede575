"""An engine in this process, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sched_sdk import Client
from sched_server import EngineServer, EngineSettings


@asynccontextmanager
async def engine_here(**settings: Any) -> AsyncIterator[EngineServer]:
    """It serves on a free port, and keeps its state in memory unless told where."""
    server = EngineServer(EngineSettings(**{"db": ":memory:", "port": 0} | settings))
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


@pytest.fixture
async def client(engine: EngineServer) -> AsyncIterator[Client]:
    """Of the fixture `engine`, which each folder of tests has its own of."""
    async with await Client.connect(engine.address) as connected:
        yield connected

"""An engine and a client for each test, all in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sched_server import EngineServer
from tests.servers.engine import client, engine_here

__all__ = ["client"]


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_here() as server:
        yield server

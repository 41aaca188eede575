"""An engine and a client for each test, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sched_server import EngineServer
from tests.servers.engine import client, engine_here

__all__ = ["client"]


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_here(movable_clock=True) as server:
        yield server

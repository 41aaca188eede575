"""An engine with an endpoint, and a client, for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sched_server import EngineServer
from tests.servers.engine import client, engine_here
from tests.servers.fixtures import postgres_dsn

__all__ = ["client", "postgres_dsn"]


@pytest.fixture
async def engine() -> AsyncIterator[EngineServer]:
    async with engine_here(metrics_port=0) as server:
        yield server

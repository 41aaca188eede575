"""Redis servers, started when the first test asks for one."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from sched_server.queue.redis import RedisTaskQueue
from tests.queue.redis_server import RedisServer


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A server that all tests share; none may harm it."""
    if url := os.environ.get("SCHED_TEST_REDIS_URL"):
        yield url
        return
    server = RedisServer()
    server.start()
    yield server.url
    server.remove()


@pytest.fixture
def prefix() -> str:
    return f"sched-test-{uuid.uuid4().hex}"


@pytest.fixture
def own_server() -> Iterator[RedisServer]:
    """A server for this test alone."""
    server = RedisServer()
    server.start()
    yield server
    server.remove()


MakeRedisQueue = Callable[..., RedisTaskQueue]


@pytest.fixture
async def make_redis_queue(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeRedisQueue]:
    """Queues that are quick to notice, and open once the first try to connect is
    over, on the busiest machine; closed at the end."""
    monkeypatch.setattr("sched_server.queue.redis.adapter._OPEN_WAIT_S", 10.0)
    made: list[RedisTaskQueue] = []

    def make(url: str, **options: float) -> RedisTaskQueue:
        quick = {"timeout_s": 0.5, "check_every_s": 0.1, "claim_idle_s": 0.3}
        made.append(RedisTaskQueue(url, prefix=prefix, **(quick | options)))
        return made[-1]

    yield make
    for queue in made:
        await queue.close()

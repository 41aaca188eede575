"""A Redis that cannot be used, or should be set otherwise: work goes on without it,
and the engine's output and `sched cluster status` say what is wrong."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from tests.cli.engines import address_of, start_engine
from tests.cli.support import sched_in_process, wait_until
from tests.queue.redis_server import RedisServer, SickProxy
from tests.servers.fixtures import new_database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.support import Running


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    options = ("--maxmemory-policy", "allkeys-lru", "--maxmemory", "100mb")
    server = RedisServer(*options, password="hunter2")
    server.start()
    yield server
    server.remove()


def status(engine: Running, *options: str) -> str:
    asked = ("cluster", "status", "--engine", address_of(engine), *options)
    done = sched_in_process(*asked, environment={})
    assert done.returncode == 0, done.stderr
    return done.stdout


def queue_of(engine: Running) -> Any:
    return json.loads(status(engine, "-o", "json"))["queue"]


async def test_a_redis_that_is_too_old(
    redis: RedisServer, postgres_database: str, tmp_path: Path
) -> None:
    def look(url: str) -> tuple[str, str]:
        with start_engine(tmp_path, postgres_database, "--redis-url", url) as engine:
            engine.wait_for("leads, epoch 1")
            engine.wait_for("cannot be used: Redis 5.2")
            return engine.output, status(engine)

    async with SickProxy(redis.port) as proxy:
        proxy.lie = (b"redis_version:6", b"redis_version:5")
        output, shown = await asyncio.to_thread(look, f"redis://:hunter2@127.0.0.1:{proxy.port}")
    for said in (output, shown):
        assert "is too old: sched needs 6.2 or newer" in said
        assert "Upgrade it, or leave out --redis-url" in said
        assert "hunter2" not in said
    assert "it is tried again every 2 s, for as long as it takes" in output


def test_a_redis_that_evicts(redis: RedisServer, postgres_database: str, tmp_path: Path) -> None:
    """At the lowest log level, where the drivers speak too."""
    debug = {"SCHED_LOG_LEVEL": "debug"}
    options = ("--redis-url", redis.url)
    with start_engine(tmp_path, postgres_database, *options, environment=debug) as engine:
        engine.wait_for(r"Redis evicts keys \(maxmemory-policy allkeys-lru\)")
        engine.wait_for("Set maxmemory-policy noeviction")
        assert queue_of(engine)["connected"]
        shown = status(engine)
    assert "allkeys-lru" in shown
    assert engine.output.count("allkeys-lru") == 1
    assert " debug " in engine.output
    for secret in ("hunter2", "secret-of-tests"):
        assert secret not in engine.output + shown


def test_a_wrong_password(redis: RedisServer, postgres_database: str, tmp_path: Path) -> None:
    url = redis.url.replace("hunter2", "hunter3")
    with start_engine(tmp_path, postgres_database, "--redis-url", url) as engine:
        engine.wait_for("check the user and the password in the Redis URL")
        shown = status(engine)
    assert "check the user and the password in the Redis URL" in shown
    assert "hunter" not in engine.output + shown


def test_clusters_that_share_a_server_a_redis_and_a_lock_key(
    redis: RedisServer, postgres_dsn: str, tmp_path: Path
) -> None:
    """The lock is one of the database, and the names in Redis begin with the id
    that each database was given: they do not meet."""
    with (
        new_database(postgres_dsn) as one,
        new_database(postgres_dsn) as other,
        start_engine(tmp_path, one, "--redis-url", redis.url) as first,
        start_engine(tmp_path, other, "--redis-url", redis.url) as second,
        Redis.from_url(redis.url) as client,
    ):
        for engine in (first, second):
            engine.wait_for("leads, epoch 1")
            wait_until(lambda engine=engine: queue_of(engine)["connected"], "Redis is connected")
            start = ("workflow", "start", "Report", "--id", "same", "--engine", address_of(engine))
            assert sched_in_process(*start, environment={}).returncode == 0

        def streams_there() -> list[str]:
            return [key.decode() for key in client.scan_iter(match="sched:*:tasks:*")]

        # A start is answered when it is durable; the task is published after that.
        wait_until(lambda: len(streams_there()) == 2, "each has published its task")
        streams = streams_there()
        assert len({name.split(":")[1] for name in streams}) == 2
        assert [client.xlen(name) for name in streams] == [1, 1]

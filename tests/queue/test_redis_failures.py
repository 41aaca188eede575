"""A Redis that dies, forgets, hangs, crawls or was never there costs no task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from sched_server.queue.port import QueuedTask, TaskKey, TaskQueue
from sched_server.queue.redis import RedisTaskQueue, RedisUrlError
from tests.queue.conformance import EMAILS, REPORTS, ignore_loss, queued
from tests.queue.conftest import MakeRedisQueue
from tests.queue.redis_server import RedisServer, SickProxy, free_port
from tests.queue.test_redis import until

PATIENCE_S = 15.0
# The queue gives Redis up after half a second here. A call that waited for Redis
# would need longer than even a busy machine does.
LONGEST_CALL_S = 10.0


class Traffic:
    """Publishes and takes as a dispatcher does: it takes when it is told, until
    there is nothing."""

    def __init__(self, queue: TaskQueue) -> None:
        self.queue = queue
        self.published: set[QueuedTask] = set()
        self.taken: set[QueuedTask] = set()
        self.losses = 0
        self._told: dict[TaskKey, asyncio.Event] = {
            EMAILS: asyncio.Event(),
            REPORTS: asyncio.Event(),
        }

    async def open(self) -> None:
        async with asyncio.timeout(LONGEST_CALL_S):
            await self.queue.open(lambda key: self._told[key].set(), self._lost)

    def _lost(self) -> None:
        self.losses += 1

    async def publish(self, first: int, last: int) -> None:
        tasks = [queued(number, key) for number in range(first, last) for key in self._told]
        self.published |= set(tasks)
        async with asyncio.timeout(LONGEST_CALL_S):
            overflow = await self.queue.publish(tasks)
        assert list(overflow) == []

    async def produce(self, tasks: int, *, batch: int = 8) -> None:
        for first in range(0, tasks, batch):
            await self.publish(first, min(first + batch, tasks))
            await asyncio.sleep(0.002)

    async def consume(self, key: TaskKey) -> None:
        """For ever."""
        while True:
            await self._told[key].wait()
            self._told[key].clear()
            while True:
                async with asyncio.timeout(LONGEST_CALL_S):
                    batch = await self.queue.take(key, 5)
                if not batch:
                    break
                self.taken |= set(batch)
                async with asyncio.timeout(LONGEST_CALL_S):
                    await self.queue.finish(batch)

    async def all_taken(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.taken != self.published:  # noqa: ASYNC110 - a condition of the test
                await asyncio.sleep(0.005)

    async def __aenter__(self) -> Traffic:
        await self.open()
        self._consumers = [asyncio.create_task(self.consume(key)) for key in self._told]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for consumer in self._consumers:
            consumer.cancel()
        results = await asyncio.gather(*self._consumers, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results), results


@pytest.fixture
async def proxy(own_server: RedisServer) -> AsyncIterator[SickProxy]:
    async with SickProxy(own_server.port) as proxy:
        yield proxy


# ---------------------------------------------------------------- death


async def test_redis_killed_and_restarted_empty_in_the_middle_of_traffic(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url)
    async with Traffic(queue) as traffic:
        producing = asyncio.create_task(traffic.produce(2000))
        for _ in range(2):
            await until(lambda: queue.status().connected)
            await asyncio.sleep(0.05)
            own_server.kill()
            await until(lambda: not queue.status().connected)
            await asyncio.sleep(0.05)
            own_server.start()
        await producing
        await traffic.all_taken()
        await until(lambda: queue.status().connected)
        assert traffic.losses == 2
        assert queue.status().last_error == ""


async def test_what_waited_in_a_redis_that_died_can_be_taken_at_once(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url)
    await queue.open(lambda _key: None, ignore_loss)
    tasks = [queued(number) for number in range(20)]
    await queue.publish(tasks)
    own_server.kill()
    assert await queue.take(EMAILS, 100) == tasks
    assert queue.depth(EMAILS) == 0


async def test_a_lost_connection_leaves_no_duplicates_in_redis(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer, prefix: str
) -> None:
    queue = make_redis_queue(own_server.url)
    losses: list[str] = []
    await queue.open(lambda _key: None, lambda: losses.append("lost"))
    tasks = [queued(number) for number in range(20)]
    await queue.publish(tasks)
    async with Redis.from_url(own_server.url) as client:
        await client.client_kill_filter(_type="normal", skipme=True)
        await until(lambda: not queue.status().connected)
        await until(lambda: queue.status().connected)
        assert await client.xlen(f"{prefix}:tasks:activity:default/send_email") == 0
    assert losses == []
    assert await queue.take(EMAILS, 100) == tasks
    assert await queue.take(EMAILS, 100) == []


async def test_unreachable_at_the_start_and_used_when_it_comes(
    make_redis_queue: MakeRedisQueue, prefix: str
) -> None:
    server = RedisServer()
    queue = make_redis_queue(server.url)
    async with Traffic(queue) as traffic:
        await traffic.publish(0, 50)
        await traffic.all_taken()
        assert not queue.status().connected
        server.start()
        try:
            await until(lambda: queue.status().connected)
            await traffic.publish(50, 100)
            await traffic.all_taken()
            async with Redis.from_url(server.url) as client:
                assert await client.scard(f"{prefix}:keys") == 2
            assert traffic.losses == 0, "nothing was there before"
        finally:
            server.remove()


# ---------------------------------------------------------------- amnesia


async def test_flushed_under_load(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url)
    async with Traffic(queue) as traffic, Redis.from_url(own_server.url) as client:
        producing = asyncio.create_task(traffic.produce(2000))
        for losses in range(1, 4):
            await asyncio.sleep(0.05)
            await client.flushall()
            await until(lambda losses=losses: traffic.losses >= losses)  # type: ignore[misc]
        await producing
        await traffic.all_taken()


async def test_a_wiped_redis_is_noticed_while_nothing_happens(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url)
    losses: list[str] = []
    await queue.open(lambda _key: None, lambda: losses.append("lost"))
    tasks = [queued(number) for number in range(10)]
    await queue.publish(tasks)
    async with Redis.from_url(own_server.url) as client:
        await client.flushall()
    await until(lambda: losses == ["lost"])
    assert await queue.take(EMAILS, 100) == tasks
    await queue.publish(tasks)
    assert await queue.take(EMAILS, 100) == tasks
    await asyncio.sleep(0.3)  # three more looks
    assert losses == ["lost"], "one wipe is told once"


async def test_another_engine_that_finds_redis_wiped_first_hides_nothing(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    losses: list[str] = []
    for name in ("one", "two"):
        queue = make_redis_queue(own_server.url)
        await queue.open(lambda _key: None, lambda name=name: losses.append(name))  # type: ignore[misc]
    async with Redis.from_url(own_server.url) as client:
        await client.flushall()
    await until(lambda: sorted(losses) == ["one", "two"])


async def test_one_evicted_stream_is_noticed_by_the_next_who_uses_it(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer, prefix: str
) -> None:
    queue = make_redis_queue(own_server.url, check_every_s=60)
    losses: list[str] = []
    await queue.open(lambda _key: None, lambda: losses.append("lost"))
    async with Redis.from_url(own_server.url) as client:
        for evict_before in ("take", "publish"):
            await queue.publish([queued(1), queued(2), queued(1, REPORTS)])
            await client.delete(f"{prefix}:tasks:activity:default/send_email")
            if evict_before == "publish":
                await queue.publish([queued(3)])
            taken = await queue.take(EMAILS, 9)
            assert {task.run_key for task in taken} >= {1, 2}
            await until(lambda: len(losses) > 0)
            losses.clear()
            assert await queue.take(REPORTS, 9) == [queued(1, REPORTS)]
            await queue.finish([*taken, queued(1, REPORTS)])


# ---------------------------------------------------------------- slowness


async def test_slow_redis_only_slows(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer, proxy: SickProxy
) -> None:
    queue = make_redis_queue(f"redis://127.0.0.1:{proxy.port}", timeout_s=2.0)
    proxy.delay_s = 0.05
    async with Traffic(queue) as traffic:
        await until(lambda: queue.status().connected)
        await traffic.produce(60, batch=20)
        await traffic.all_taken()
        assert queue.status().connected
        assert traffic.losses == 0


async def test_answers_that_never_come(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer, proxy: SickProxy
) -> None:
    queue = make_redis_queue(f"redis://127.0.0.1:{proxy.port}")
    async with Traffic(queue) as traffic:
        await traffic.publish(0, 20)
        await traffic.all_taken()
        proxy.mode = "swallow"
        await traffic.produce(400)
        await traffic.all_taken()
        assert not queue.status().connected
        assert queue.status().last_error == "no answer in time"
        proxy.mode = "pass"
        await until(lambda: queue.status().connected)
        await traffic.publish(400, 420)
        await traffic.all_taken()
        assert traffic.losses == 0


async def test_a_frozen_redis_is_given_up_and_taken_back(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url)
    async with Traffic(queue) as traffic:
        own_server.freeze()
        try:
            await traffic.produce(200)
            await traffic.all_taken()
            await until(lambda: not queue.status().connected)
        finally:
            own_server.thaw()
        await until(lambda: queue.status().connected)
        assert traffic.losses == 0


async def test_closing_does_not_wait_for_a_frozen_redis(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url, timeout_s=60, check_every_s=60)
    await queue.open(lambda _key: None, ignore_loss)
    own_server.freeze()
    try:
        publishing = asyncio.create_task(publish_one(queue))
        await asyncio.sleep(0)
        async with asyncio.timeout(PATIENCE_S):
            await queue.close()
            assert await publishing == [queued(1)]
    finally:
        own_server.thaw()


async def publish_one(queue: TaskQueue) -> list[QueuedTask]:
    return list(await queue.publish([queued(1)]))


async def test_a_server_that_is_too_old_is_not_used(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer, proxy: SickProxy
) -> None:
    async with Redis.from_url(own_server.url) as client:
        version = (await client.info("server"))["redis_version"]
    old = f"5{version[1:]}"
    proxy.lie = (f"redis_version:{version}".encode(), f"redis_version:{old}".encode())
    queue = make_redis_queue(f"redis://127.0.0.1:{proxy.port}")
    await queue.open(lambda _key: None, ignore_loss)
    status = queue.status()
    assert not status.connected
    assert f"Redis {old} is too old" in status.last_error
    assert "6.2 or newer" in status.last_error
    await queue.publish([queued(1)])
    assert await queue.take(EMAILS, 1) == [queued(1)]
    proxy.lie = (b"", b"")
    await until(lambda: queue.status().connected)


async def test_keys_that_came_and_went_without_redis_are_forgotten(
    make_redis_queue: MakeRedisQueue,
) -> None:
    queue = make_redis_queue(f"redis://127.0.0.1:{free_port()}", check_every_s=0.02)
    await queue.open(lambda _key: None, ignore_loss)
    for number in range(50):
        key = TaskKey(task_queue=f"host-{number}", kind=2, name="clean")
        await queue.publish([queued(1, key)])
        await queue.finish(await queue.take(key, 1))
    await queue.publish([queued(1)])
    await until(lambda: [window.key for window in queue._windows] == [EMAILS])


# ---------------------------------------------------------------- secrets


PASSWORD = "s3cr3t/pass word"


@pytest.mark.parametrize("given", ["s3cr3t%2Fpass%20word", "wr0ng%2Fpass"])
async def test_a_password_is_never_shown(
    make_redis_queue: MakeRedisQueue, caplog: pytest.LogCaptureFixture, given: str
) -> None:
    caplog.set_level(logging.DEBUG)
    server = RedisServer(password=PASSWORD)
    server.start()
    try:
        queue = make_redis_queue(f"redis://:{given}@127.0.0.1:{server.port}")
        await queue.open(lambda _key: None, ignore_loss)
        assert queue.status().connected == given.startswith("s3cr3t")
        server.kill()
        await until(lambda: not queue.status().connected)
        shown = f"{queue.status()} {caplog.text} {queue!r}"
        assert "s3cr3t" not in shown
        assert "wr0ng" not in shown
        assert ("check the user and the password" in shown) == given.startswith("wr0ng")
        assert f"127.0.0.1:{server.port}" in shown
    finally:
        server.remove()


@pytest.mark.parametrize("echo", ["s3cr3t/pass word", "s3cr3t%2Fpass%20word"])
def test_an_error_that_repeats_the_password_is_cleaned(echo: str) -> None:
    queue = RedisTaskQueue("redis://:s3cr3t%2Fpass%20word@localhost", prefix="x")
    text = queue._link.address.describe(RuntimeError(f"cannot log in with {echo}!"))
    assert text == "cannot log in with ***!"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://user:s3cr3t@host", "with scheme 'http'"),
        ("user:s3cr3t@host:6379", "expected redis://"),
        ("redis://user:s3cr3t@host:notaport", "with scheme 'redis'"),
        ("redis://:s3cr3t@host:99999", "with scheme 'redis'"),
        ("redis://:s3cr3t@host/?health_check_interval=s3cr3t", "with scheme 'redis'"),
        ("unix://", "names no socket"),
        ("", "expected redis://"),
    ],
)
def test_a_bad_url_is_refused_without_repeating_it(url: str, said: str) -> None:
    with pytest.raises(RedisUrlError) as caught:
        RedisTaskQueue(url, prefix="x")
    assert said in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_name_that_does_not_resolve_is_said_in_few_words(
    make_redis_queue: MakeRedisQueue,
) -> None:
    queue = make_redis_queue("redis://no-such-host.invalid:1")
    await queue.open(lambda _key: None, ignore_loss)
    await until(lambda: queue.status().last_error != "")
    assert len(queue.status().last_error) < 80
    assert queue.status().description == "Redis at no-such-host.invalid:1"


async def test_a_unix_socket(
    make_redis_queue: MakeRedisQueue, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("s") / "redis.sock"
    server = RedisServer("--unixsocket", str(path))
    server.start()
    try:
        queue = make_redis_queue(f"unix://{path}")
        await queue.open(lambda _key: None, ignore_loss)
        assert queue.status().connected
        assert str(path) in queue.status().description
    finally:
        server.remove()


async def test_a_port_where_something_else_listens(make_redis_queue: MakeRedisQueue) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    port = free_port()
    other = await asyncio.start_server(answer, "127.0.0.1", port)
    try:
        queue = make_redis_queue(f"redis://127.0.0.1:{port}")
        await queue.open(lambda _key: None, ignore_loss)
        assert list(await queue.publish([queued(1)])) == []
        assert await queue.take(EMAILS, 1) == [queued(1)]
        await until(lambda: queue.status().last_error != "")
        assert not queue.status().connected
    finally:
        other.close()
        await other.wait_closed()

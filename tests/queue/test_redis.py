"""The queue in Redis Streams: the conformance suite, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis

from sched_server.queue.port import TaskKey, TaskQueue
from sched_server.queue.redis import RedisTaskQueue, survey
from tests.queue.conformance import (
    EMAILS,
    REPORTS,
    WINDOW,
    MakeQueue,
    TaskQueueConformance,
    ignore_loss,
    queued,
)
from tests.queue.conftest import MakeRedisQueue
from tests.queue.redis_server import RedisServer, free_port

PATIENCE_S = 10.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - any condition, of any object
            await asyncio.sleep(0.005)


async def until_empty(client: Redis, stream: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await client.xlen(stream):  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def stream(prefix: str) -> str:
    return f"{prefix}:tasks:activity:default/send_email"


class TestRedisQueue(TaskQueueConformance):
    @pytest.fixture
    def make_queue(self, make_redis_queue: MakeRedisQueue, redis_url: str) -> MakeQueue:
        async def make(window: int) -> TaskQueue:
            return make_redis_queue(redis_url, window=window)

        return make


class TestRedisQueueWithoutRedis(TaskQueueConformance):
    """Nobody listens: the queue does its work all the same."""

    @pytest.fixture
    def make_queue(self, make_redis_queue: MakeRedisQueue) -> MakeQueue:
        url = f"redis://127.0.0.1:{free_port()}"

        async def make(window: int) -> TaskQueue:
            return make_redis_queue(url, window=window)

        return make

    async def test_a_queue_that_works_has_lost_nothing_and_says_so(
        self, make_queue: MakeQueue
    ) -> None:
        queue = await make_queue(WINDOW)
        await queue.open(lambda _key: None, ignore_loss)
        status = queue.status()
        assert not status.connected
        assert status.last_error == "Connection refused"


# ---------------------------------------------------------------- what is in Redis


async def test_tasks_wait_in_a_stream_that_people_can_read(
    make_redis_queue: MakeRedisQueue, redis_url: str, client: Redis, prefix: str
) -> None:
    queue = make_redis_queue(redis_url)
    await queue.open(lambda _key: None, ignore_loss)
    odd = TaskKey(task_queue="a/b:c", kind=1, name="Monthly Report")
    await queue.publish([queued(1), queued(2), queued(1, odd)])

    assert await client.smembers(f"{prefix}:keys") == {
        f"{prefix}:tasks:activity:default/send_email".encode(),
        f"{prefix}:tasks:workflow:a%2Fb%3Ac/Monthly%20Report".encode(),
    }
    assert await client.xlen(f"{prefix}:tasks:activity:default/send_email") == 2
    assert await client.xlen(f"{prefix}:tasks:workflow:a%2Fb%3Ac/Monthly%20Report") == 1


async def test_a_finished_task_leaves_nothing_behind(
    make_redis_queue: MakeRedisQueue, redis_url: str, client: Redis, stream: str
) -> None:
    queue = make_redis_queue(redis_url)
    await queue.open(lambda _key: None, ignore_loss)
    await queue.publish([queued(number) for number in range(10)])
    taken = await queue.take(EMAILS, 7)
    assert await client.xlen(stream) == 10
    assert (await client.xpending(stream, "sched"))["pending"] == 7

    await queue.finish(taken)
    await queue.close()

    assert await client.xlen(stream) == 3
    assert (await client.xpending(stream, "sched"))["pending"] == 0


async def test_without_anyone_who_takes_a_stream_stays_bounded(
    make_redis_queue: MakeRedisQueue, redis_url: str, client: Redis, stream: str
) -> None:
    overflow = 0
    for _engine in range(3):  # one after the other, each leaves its tasks
        queue = make_redis_queue(redis_url, window=100)
        await queue.open(lambda _key: None, ignore_loss)
        for start in range(0, 1000, 64):
            batch = [queued(number) for number in range(start, start + 64)]
            overflow += len(await queue.publish(batch))
        await queue.close()
    assert overflow > 2500
    assert await client.xlen(stream) == 100


async def test_queues_of_other_clusters_are_not_touched(
    redis_url: str, prefix: str, client: Redis
) -> None:
    ours, theirs = (
        RedisTaskQueue(redis_url, prefix=f"{prefix}:{cluster}") for cluster in ("ours", "theirs")
    )
    try:
        for queue in (ours, theirs):
            await queue.open(lambda _key: None, ignore_loss)
        await ours.publish([queued(1)])
        assert await theirs.take(EMAILS, 9) == []
        assert await ours.take(EMAILS, 9) == [queued(1)]
    finally:
        await ours.close()
        await theirs.close()


async def test_streams_that_nobody_uses_are_deleted(
    make_redis_queue: MakeRedisQueue,
    redis_url: str,
    client: Redis,
    prefix: str,
    stream: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(survey, "QUIET_LOOKS", 2)
    queue = make_redis_queue(redis_url, check_every_s=0.02)
    await queue.open(lambda _key: None, ignore_loss)
    await queue.publish([queued(1), queued(1, REPORTS)])
    await queue.finish(await queue.take(EMAILS, 1))

    async with asyncio.timeout(PATIENCE_S):
        while await client.exists(stream):  # noqa: ASYNC110 - Redis tells nobody
            await asyncio.sleep(0.01)
    assert await client.scard(f"{prefix}:keys") == 1
    assert queue.depth(REPORTS) == 1, "what waits is not deleted"

    await queue.publish([queued(2)])
    assert await queue.take(EMAILS, 9) == [queued(2)]
    assert queue.status().last_error == ""


async def test_names_of_streams_that_are_gone_are_deleted(
    make_redis_queue: MakeRedisQueue, redis_url: str, client: Redis, prefix: str
) -> None:
    await client.sadd(f"{prefix}:keys", f"{prefix}:tasks:activity:gone/send_email", "of others")
    queue = make_redis_queue(redis_url)
    heard: list[TaskKey] = []
    await queue.open(heard.append, ignore_loss)
    assert await client.smembers(f"{prefix}:keys") == {b"of others"}
    assert heard == []


async def test_what_somebody_else_wrote_is_passed_over(
    make_redis_queue: MakeRedisQueue, redis_url: str, client: Redis, stream: str
) -> None:
    queue = make_redis_queue(redis_url)
    heard: list[TaskKey] = []
    await queue.open(heard.append, ignore_loss)
    await queue.publish([queued(1)])
    for fields in ({"t": b"\xc1"}, {"x": "y"}, {"t": b"\x93\x01\x02\xa1x"}):
        await client.xadd(stream, fields)
    await queue.publish([queued(2)])

    taken = await queue.take(EMAILS, 9)
    assert taken == [queued(1), queued(2)]
    await queue.finish(taken)
    await until_empty(client, stream)


# ---------------------------------------------------------------- other engines


async def test_what_an_engine_left_unread_is_found_at_the_start(
    make_redis_queue: MakeRedisQueue, redis_url: str
) -> None:
    first = make_redis_queue(redis_url)
    await first.open(lambda _key: None, ignore_loss)
    await first.publish([queued(1), queued(2), queued(1, REPORTS)])
    await first.close()

    second = make_redis_queue(redis_url)
    heard: list[TaskKey] = []
    await second.open(heard.append, ignore_loss)
    assert sorted(heard, key=lambda key: key.kind) == [REPORTS, EMAILS]
    assert second.depth(EMAILS) == 2
    assert await second.take(EMAILS, 9) == [queued(1), queued(2)]
    assert await second.take(REPORTS, 9) == [queued(1, REPORTS)]
    assert await second.take(EMAILS, 9) == []


async def test_what_another_engine_puts_in_is_found_while_running(
    make_redis_queue: MakeRedisQueue, redis_url: str
) -> None:
    ours, theirs = make_redis_queue(redis_url), make_redis_queue(redis_url)
    heard: list[TaskKey] = []
    await ours.open(heard.append, ignore_loss)
    await theirs.open(lambda _key: None, ignore_loss)
    await theirs.publish([queued(1)])
    await until(lambda: heard == [EMAILS])
    assert await ours.take(EMAILS, 9) == [queued(1)]


async def test_what_a_dead_engine_had_read_is_claimed(
    make_redis_queue: MakeRedisQueue, redis_url: str, client: Redis, stream: str
) -> None:
    dead = make_redis_queue(redis_url)
    await dead.open(lambda _key: None, ignore_loss)
    tasks = [queued(number) for number in range(6)]
    await dead.publish(tasks)
    finished = await dead.take(EMAILS, 2)
    await dead.finish(finished)
    assert await dead.take(EMAILS, 2) == tasks[2:4]
    await dead.close()

    living = make_redis_queue(redis_url, claim_idle_s=0.5)
    heard: list[TaskKey] = []
    await living.open(heard.append, ignore_loss)
    unread = await living.take(EMAILS, 9)
    assert unread == tasks[4:]
    await living.finish(unread)
    await until(lambda: living.depth(EMAILS) == 2)
    assert heard == [EMAILS, EMAILS]
    claimed = await living.take(EMAILS, 9)
    assert claimed == tasks[2:4]
    await living.finish(claimed)
    await until_empty(client, stream)


async def test_what_was_taken_and_never_finished_comes_again(
    make_redis_queue: MakeRedisQueue, redis_url: str
) -> None:
    queue = make_redis_queue(redis_url, claim_idle_s=0.1)
    heard: list[TaskKey] = []
    await queue.open(heard.append, ignore_loss)
    await queue.publish([queued(1)])
    assert await queue.take(EMAILS, 1) == [queued(1)]
    await until(lambda: heard == [EMAILS, EMAILS])
    again = await queue.take(EMAILS, 1)
    assert again == [queued(1)]
    await queue.finish(again)
    window = queue._windows.get(EMAILS)
    assert window is not None
    await until(lambda: window.unused)


# ---------------------------------------------------------------- the server


async def test_the_status_names_the_server(
    make_redis_queue: MakeRedisQueue, redis_url: str, client: Redis
) -> None:
    queue = make_redis_queue(redis_url)
    await queue.open(lambda _key: None, ignore_loss)
    version = (await client.info("server"))["redis_version"]
    status = queue.status()
    assert status.version == version
    assert status.description.startswith(f"Redis {version} at ")
    assert status.connected


async def test_a_server_that_evicts_is_warned_of(make_redis_queue: MakeRedisQueue) -> None:
    server = RedisServer("--maxmemory-policy", "allkeys-lru")
    server.start()
    try:
        queue = make_redis_queue(server.url)
        await queue.open(lambda _key: None, ignore_loss)
        [warning] = queue.status().warnings
        assert "allkeys-lru" in warning
        assert "noeviction" in warning
    finally:
        server.remove()


async def test_a_server_that_is_full_refuses_and_work_goes_on(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    queue = make_redis_queue(own_server.url)
    await queue.open(lambda _key: None, ignore_loss)
    await queue.publish([queued(1)])
    async with Redis.from_url(own_server.url) as client:
        await client.config_set("maxmemory", 1)
        assert list(await queue.publish([queued(2), queued(3)])) == []
        assert "maxmemory" in queue.status().last_error
        await queue.publish([queued(4)])
        assert sum("refuses" in record.message for record in caplog.records) == 1
        await client.config_set("maxmemory", 0)
    await queue.publish([queued(5)])
    assert queue.status().last_error == ""
    taken = await queue.take(EMAILS, 9)
    assert sorted(task.run_key for task in taken) == [1, 2, 3, 4, 5]


async def test_a_replica_is_not_used(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url)
    await queue.open(lambda _key: None, ignore_loss)
    await queue.publish([queued(1)])
    async with Redis.from_url(own_server.url) as client:
        await client.replicaof("127.0.0.1", str(free_port()))
        assert list(await queue.publish([queued(2)])) == []
        await until(lambda: not queue.status().connected)
        await until(lambda: "read only replica" in queue.status().last_error)
        assert len(await queue.take(EMAILS, 9)) == 2
        await client.replicaof("NO", "ONE")
    await until(lambda: queue.status().connected)


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_holds_at_least_one_task(window: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1; got {window}"):
        RedisTaskQueue("redis://localhost", prefix="x", window=window)

"""The engine on the Redis queue: what Redis loses is found again in the rows."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from tests.engine.harness import LocalEngine, running
from tests.queue.conftest import MakeRedisQueue
from tests.queue.redis_server import RedisServer
from tests.queue.test_redis import until

WORKFLOWS = 60


async def finish_all(engine: LocalEngine, expected: set[str], *, slots: int = 8) -> list[str]:
    """Close every workflow that is handed out, until all are closed."""
    worker = engine.worker(workflow_task_slots=slots)
    closed: list[str] = []
    while set(closed) != expected:
        task = await worker.task()
        closed.append(task.workflow_id)
        await worker.close(task)
    return closed


async def test_a_backlog_goes_through_redis_in_order(
    make_redis_queue: MakeRedisQueue, redis_url: str
) -> None:
    queue = make_redis_queue(redis_url, window=7)
    async with running(queue=queue) as engine:
        names = [f"wf-{number:02}" for number in range(WORKFLOWS)]
        for name in names:
            await engine.start(name)
        assert await finish_all(engine, set(names), slots=1) == names
        await until(lambda: engine.group.dispatcher.depths() == {})
        assert queue.status().connected


@pytest.mark.parametrize("window", [7, 1000])
@pytest.mark.parametrize("harm", ["flush", "restart", "delete"])
async def test_a_backlog_survives_what_happens_to_redis(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer, harm: str, window: int
) -> None:
    queue = make_redis_queue(own_server.url, window=window)
    async with running(queue=queue) as engine:
        names = {f"wf-{number:02}" for number in range(WORKFLOWS)}
        for name in sorted(names):
            await engine.start(name)
        finishing: asyncio.Task[list[str]] | None = None
        for _ in range(3):
            async with Redis.from_url(own_server.url) as client:
                if harm == "flush":
                    await client.flushall()
                elif harm == "delete":
                    keys = [key async for key in client.scan_iter(match="*:tasks:*")]
                    await client.unlink("nothing", *keys)
            if harm == "restart":
                own_server.kill()
                own_server.start()
            # The first harm is done before anyone works, the others while they do.
            finishing = finishing or asyncio.create_task(finish_all(engine, names))
            await asyncio.sleep(0.01)
        assert finishing is not None
        closed = await finishing
        assert len(closed) == len(names), "nothing ran twice"
        await until(lambda: engine.group.dispatcher.depths() == {})


async def test_tasks_that_another_engine_had_left_in_a_wiped_redis_are_read_from_the_rows(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    """The queue says that it lost something; the dispatcher reads again."""
    queue = make_redis_queue(own_server.url)
    async with running(queue=queue) as engine:
        await engine.start("wf")
        await engine.quiet()
        dispatcher = engine.group.dispatcher
        # As if the queue had delivered the task to nobody: it knows of none.
        for window in queue._windows:
            window.waiting.clear()
            window.foreign = 0
        async with Redis.from_url(own_server.url) as client:
            await client.flushall()
        backlogs = list(dispatcher._backlogs.values())
        await until(lambda: any(backlog.refill for backlog in backlogs))
        assert await finish_all(engine, {"wf"}) == ["wf"]

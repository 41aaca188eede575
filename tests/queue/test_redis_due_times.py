"""Whatever takes longer than a task may lie unfinished in Redis: waiting for a due
time, or running. Due times are rows and never in Redis; and what a look around finds
unfinished there is compared with the rows before anybody gets it."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from tests.engine.harness import running, schedule, sleep
from tests.queue.conftest import MakeRedisQueue
from tests.queue.redis_server import RedisServer
from tests.queue.test_redis import until

# The queue of these tests claims what was unfinished for 0.1 s, every 0.05 s.
QUICK = {"claim_idle_s": 0.1, "check_every_s": 0.05}
# So it could claim it several times.
LONG_S = 0.6


async def test_a_due_time_far_beyond_it_comes_once(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url, **QUICK)
    async with running(queue=queue) as engine:
        await engine.start()
        await engine.start("delayed", start_delay_us=int(LONG_S * 1_000_000))
        worker = engine.worker()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await worker.answer(await worker.task(), sleep(1, LONG_S))
        # An armed timer that lived in Redis would be gone now.
        async with Redis.from_url(own_server.url) as client:
            await client.flushall()

        tasks = [await worker.task(), await worker.task()]
        assert loop.time() - began >= LONG_S
        assert {task.workflow_id for task in tasks} == {"wf", "delayed"}
        for task in tasks:
            await worker.close(task)
        await asyncio.sleep(3 * QUICK["claim_idle_s"])  # nothing may come in this time
        assert worker.tasks.empty()
        assert (await engine.history()).count("TimerFired") == 1


async def test_a_task_that_runs_longer_is_not_given_out_again(
    make_redis_queue: MakeRedisQueue, own_server: RedisServer
) -> None:
    queue = make_redis_queue(own_server.url, **QUICK)
    async with running(queue=queue) as engine:
        coder = engine.worker("coder", activity_names=[])
        await engine.start()
        await coder.answer(await coder.task(), schedule(1))
        await engine.quiet()  # nobody could take it at once, so it waits in Redis

        async with Redis.from_url(own_server.url) as client:
            (stream,) = [key async for key in client.scan_iter(match="*:tasks:activity:*")]
            assert await client.xlen(stream) == 1
            first = engine.worker("first", workflow_types=[])
            task = await first.activity()
            second = engine.worker("second", workflow_types=[])
            end = asyncio.get_running_loop().time() + LONG_S
            while asyncio.get_running_loop().time() < end:
                assert second.activities.empty()
                assert first.lost.empty()
                await asyncio.sleep(0.01)
            await first.finish(task)
            assert "ActivityCompleted" in await engine.history()
            assert second.activities.empty()
            await until(lambda: engine.group.dispatcher.depths() == {})
            assert await client.xlen(stream) == 0

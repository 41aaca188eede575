"""Heartbeats go on for as long as the activity does, whatever becomes of the worker."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta

from sched_sdk import Client, Worker, WorkflowContext, activity, activity_context, workflow
from tests.worker.waiting import until

TIMEOUT = timedelta(milliseconds=400)
# So long that the engine would have given the attempt up twice without heartbeats.
LONG_S = 1.0

attempts: list[int] = []
begun = threading.Event()


@activity(heartbeat_timeout=TIMEOUT)
async def works(seconds: float) -> str:
    attempts.append(activity_context().attempt)
    begun.set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        activity_context().heartbeat()
        await asyncio.sleep(0.02)
    return "done"


@activity(heartbeat_timeout=TIMEOUT)
def works_in_a_thread(seconds: float) -> str:
    attempts.append(activity_context().attempt)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        activity_context().heartbeat()
        time.sleep(0.02)
    return "done"


@workflow
async def both(ctx: WorkflowContext) -> list[str]:
    kinds = (works, works_in_a_thread)
    return list(await asyncio.gather(*(ctx.queue_activity(kind, LONG_S) for kind in kinds)))


async def test_a_worker_that_stops_keeps_the_heartbeats_of_what_it_finishes(
    client: Client,
) -> None:
    begun.clear()
    attempts.clear()
    async with Worker(client, workflows=[both]):
        async with Worker(
            client, activities=[works, works_in_a_thread], graceful_shutdown=10
        ) as worker:
            handle = await client.start_workflow(both)
            await until(begun.is_set)
            began = time.monotonic()
            await worker.stop()
            assert time.monotonic() - began > 2 * TIMEOUT.total_seconds(), "it waited for them"
        assert await handle.result(timeout=60) == ["done", "done"]
    assert attempts == [1, 1], "nobody else was given them"

"""The guard through a real engine: where it refuses, where it does not, how it ends."""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
import uuid
from pathlib import Path

import pytest

from sched_sdk import Client, Worker, WorkflowContext, activity, workflow
from sched_sdk._client import Event, WorkflowHandle
from sched_sdk.errors import EngineError


def everything() -> int:
    """What workflow code must not do."""
    time.sleep(0)
    thread = threading.Thread(target=time.time)
    thread.start()
    thread.join()
    Path(os.devnull).read_bytes()
    return len({time.time(), random.random(), uuid.uuid4()})


@activity
async def in_the_loop() -> int:
    return everything()


@activity
def in_a_thread() -> int:
    return everything()


async def step_in_the_loop() -> int:
    return everything()


@workflow
async def delegates(ctx: WorkflowContext) -> int:
    done = [
        await ctx.queue_activity(in_the_loop),
        await ctx.queue_activity(in_a_thread),
        await ctx.step(step_in_the_loop),
        await ctx.step(everything),
    ]
    return sum(done)


async def test_activities_steps_and_the_client_are_free(client: Client) -> None:
    async with Worker(client, workflows=[delegates], activities=[in_the_loop, in_a_thread]):
        handle = await client.start_workflow(delegates)
        everything()  # between two tasks, in the worker's own thread
        assert await handle.result(timeout=60) == 12


mended = False


@workflow
async def mendable(ctx: WorkflowContext) -> str:
    started = ctx.now() if mended else time.time()
    await ctx.sleep(0.001)
    return str(type(started).__name__)


async def first_failure(handle: WorkflowHandle[str]) -> Event:
    async with asyncio.timeout(10):
        async for event in handle.history(follow=True):
            if event.type == "WorkflowTaskFailed":
                return event
    raise AssertionError("no task failed")


async def test_the_workflow_goes_on_when_the_code_is_mended(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Worker(client, workflows=[mendable]):
        handle = await client.start_workflow(mendable)
        event = await first_failure(handle)
        monkeypatch.setitem(globals(), "mended", True)
        assert await handle.result(timeout=20) == "datetime"
    assert event.attributes["cause"] == "FORBIDDEN_CALL"
    message = event.attributes["failure"]["message"]
    assert "time.time() cannot be used in workflow code (tests/worker/test_guard.py:" in message
    assert "Use ctx.now()" in message


@workflow
async def threads(ctx: WorkflowContext) -> str:
    await asyncio.to_thread(print)
    return "never"


async def test_what_the_loop_refuses_ends_the_same_way(client: Client) -> None:
    async with Worker(client, workflows=[threads]):
        handle = await client.start_workflow(threads)
        event = await first_failure(handle)
        await handle.terminate()
    assert event.attributes["cause"] == "FORBIDDEN_CALL"
    assert "threads (run_in_executor)" in event.attributes["failure"]["message"]


async def test_it_can_be_turned_off(client: Client) -> None:
    async with Worker(client, workflows=[mendable], guard=False):
        assert await client.execute_workflow(mendable) == "float"


@workflow
async def asked(ctx: WorkflowContext) -> str:
    @ctx.query
    def age() -> float:
        return time.time()

    await ctx.wait_for_signal("go")
    return "done"


async def test_a_query_handler_is_refused_too(client: Client) -> None:
    async with Worker(client, workflows=[asked]):
        handle = await client.start_workflow(asked)
        with pytest.raises(EngineError) as caught:
            await handle.query("age")
        assert "time.time() cannot be used" in f"{caught.value} {caught.value.__cause__}"
        await handle.signal("go")
        assert await handle.result(timeout=60) == "done"

"""A client that is told to stop stops, whatever its calls are doing."""

from __future__ import annotations

import asyncio

import pytest

from sched_sdk import Client, EngineUnavailableError
from sched_sdk._client.transport import heed_cancellation


async def test_a_cancellation_that_a_call_has_swallowed_is_heeded() -> None:
    reached: list[str] = []

    async def loop() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                reached.append("the call raised an error of its own")
            heed_cancellation()
            reached.append("went on")

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=5)

    assert task.cancelled()
    assert reached == ["the call raised an error of its own"]


async def test_giving_up_while_nobody_answers_always_ends() -> None:
    """Calls that are refused fail at any moment, also in that of the cancellation."""
    async with asyncio.timeout(30):
        for number in range(150):
            with pytest.raises(EngineUnavailableError):
                await Client.connect("127.0.0.1:1", timeout=0.001 + number * 0.0001)

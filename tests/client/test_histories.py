"""Histories: pages, and following over broken connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

from sched_sdk import Client, WorkflowNotFoundError
from sched_sdk.api.v1 import history_pb2, workflow_service_pb2
from tests.client.scripted_engine import ScriptedEngine

Request = workflow_service_pb2.GetHistoryRequest | workflow_service_pb2.FollowHistoryRequest


def page(*event_ids: int, more: bool = False) -> workflow_service_pb2.GetHistoryResponse:
    events = [
        history_pb2.HistoryEvent(
            event_id=event_id, signal_received=history_pb2.SignalReceived(name=f"s{event_id}")
        ).SerializeToString()
        for event_id in event_ids
    ]
    return workflow_service_pb2.GetHistoryResponse(run_id="r1", events=events, more=more)


class Broken(Exception):
    """The stream ends as if the engine had died."""


async def test_pages_are_of_one_run_and_in_order() -> None:
    asked: list[tuple[str, int]] = []

    async def script(request: Request) -> AsyncIterator[workflow_service_pb2.GetHistoryResponse]:
        asked.append((request.run_id, request.after_event_id))
        after = request.after_event_id
        yield page(after + 1, after + 2, more=after < 4)

    async with ScriptedEngine() as engine, await Client.connect(engine.address) as client:
        engine.history = script
        events = [event async for event in client.workflow("w1").history(after=2)]
    assert [event.event_id for event in events] == [3, 4, 5, 6]
    assert asked == [("", 2), ("r1", 4)]


async def test_following_goes_on_behind_the_last_event() -> None:
    asked: list[int] = []

    async def script(request: Request) -> AsyncIterator[workflow_service_pb2.GetHistoryResponse]:
        asked.append(request.after_event_id)
        after = request.after_event_id
        yield page(after + 1, after + 2)
        if len(asked) < 3:
            raise Broken

    async with ScriptedEngine() as engine, await Client.connect(engine.address) as client:
        engine.history = script
        handle = client.workflow("w1")
        events = [event async for event in handle.history(follow=True)]
    assert [event.event_id for event in events] == [1, 2, 3, 4, 5, 6]
    assert asked == [0, 2, 4]


@pytest.mark.parametrize("follow", [True, False])
async def test_the_clients_own_stream_breaks_while_a_history_is_read(follow: bool) -> None:
    """The connection is closed with it, and so every other call on it."""
    asked = 0

    async def script(request: Request) -> AsyncIterator[workflow_service_pb2.GetHistoryResponse]:
        nonlocal asked
        asked += 1
        await engine.note()
        if asked == 1:
            await engine.until(lambda: False)
        yield page(1, 2)

    async with ScriptedEngine() as engine, await Client.connect(engine.address) as client:
        engine.history = script

        async def read() -> list[int]:
            history = client.workflow("w1").history(follow=follow)
            return [event.event_id async for event in history]

        reading = asyncio.create_task(read())
        await engine.until(lambda: asked == 1)
        engine.end_streams()
        async with asyncio.timeout(10):
            assert await reading == [1, 2]
    assert asked == 2


async def test_leaving_a_followed_history_ends_its_stream() -> None:
    ended = False

    async def script(request: Request) -> AsyncIterator[workflow_service_pb2.GetHistoryResponse]:
        nonlocal ended
        try:
            yield page(1)
            await engine.until(lambda: False)
        finally:
            ended = True
            await engine.note()

    async with ScriptedEngine() as engine, await Client.connect(engine.address) as client:
        engine.history = script
        history = client.workflow("w1").history(follow=True)
        assert (await anext(history)).event_id == 1
        await history.aclose()  # type: ignore[attr-defined]  # it is a generator
        await engine.until(lambda: ended)


async def test_an_unknown_workflow() -> None:
    async with ScriptedEngine() as engine, await Client.connect(engine.address) as client:
        engine.refusal = (grpc.StatusCode.NOT_FOUND, "no workflow w1", "WORKFLOW_NOT_FOUND")
        for follow in (False, True):
            with pytest.raises(WorkflowNotFoundError, match="no workflow w1"):
                await anext(client.workflow("w1").history(follow=follow))

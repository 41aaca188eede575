"""The multiplexed stream: batching, order, reconnecting, giving up."""

from __future__ import annotations

import asyncio
import socket

import pytest

from sched_sdk._client import Client
from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1.workflow_service_pb2 import (
    Call,
    CallError,
    Reply,
    SignalWorkflowResponse,
    StartWorkflowResponse,
)
from sched_sdk.errors import (
    EngineUnavailableError,
    InvalidArgumentError,
    LimitExceededError,
    WorkflowAlreadyStartedError,
    WorkflowNotFoundError,
)
from tests.client.scripted_engine import LEADER, STANDBY, ScriptedEngine


def accept(call: Call) -> Reply:
    if call.HasField("start_workflow"):
        workflow_id = call.start_workflow.workflow_id
        return Reply(start_workflow=StartWorkflowResponse(workflow_id=workflow_id, run_id="r"))
    return Reply(signal_workflow=SignalWorkflowResponse(run_id="r"))


def refuse(reason: common_pb2.ErrorReason.ValueType, message: str = "no") -> Reply:
    return Reply(error=CallError(code=3, reason=reason, message=message))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_a_start_returns_a_handle() -> None:
    async with ScriptedEngine(accept) as engine, await Client.connect(engine.address) as client:
        handle = await client.start_workflow("Greet", "world", id="w1", task_queue="q")
    assert (handle.id, handle.run_id) == ("w1", "r")
    request = engine.calls[0].start_workflow
    assert request.workflow_type == "Greet"
    assert request.task_queue == "q"
    assert [payload.data for payload in request.input] == [b'"world"']
    assert request.request_id


async def test_calls_that_come_together_travel_together() -> None:
    async with ScriptedEngine(accept) as engine, await Client.connect(engine.address) as client:
        handle = client.workflow("w1")
        await asyncio.gather(*(handle.signal("s", number) for number in range(500)))
    assert engine.frames < 10
    assert [call.signal_workflow.input[0].data for call in engine.calls] == [
        str(number).encode() for number in range(500)
    ]


async def test_a_frame_is_bounded() -> None:
    async with ScriptedEngine(accept) as engine, await Client.connect(engine.address) as client:
        handle = client.workflow("w1")
        await asyncio.gather(*(handle.signal("s", "x" * 100_000) for _ in range(20)))
    assert engine.frames >= 10
    assert engine.largest_frame <= 256 * 1024
    assert len(engine.calls) == 20


async def test_pending_calls_are_sent_again_in_order_with_their_request_ids() -> None:
    first = ScriptedEngine(lambda call: None)
    await first.start()
    client = await Client.connect(first.address)
    handle = client.workflow("w1")
    calls = [asyncio.create_task(handle.signal("s", number)) for number in range(50)]
    await first.until(lambda: len(first.calls) == 50)
    await first.stop()

    second = ScriptedEngine(accept, port=int(first.address.rpartition(":")[2]))
    async with second:
        await asyncio.gather(*calls)
        await client.close()
    assert [call.signal_workflow for call in second.calls] == [
        call.signal_workflow for call in first.calls
    ]


async def test_a_refused_call_is_sent_again_and_nothing_overtakes_it() -> None:
    refusals = 2

    def answer(call: Call) -> Reply:
        nonlocal refusals
        if refusals:
            refusals -= 1
            return refuse(common_pb2.ERROR_REASON_UNAVAILABLE)
        return accept(call)

    async with ScriptedEngine(answer) as engine, await Client.connect(engine.address) as client:
        handle = client.workflow("w1")
        first = asyncio.create_task(handle.signal("first"))
        await engine.until(lambda: len(engine.calls) == 1)
        await asyncio.gather(first, handle.signal("second"))
    assert [call.signal_workflow.name for call in engine.calls][-2:] == ["first", "second"]


async def test_an_engine_that_only_refuses_is_given_up() -> None:
    async with ScriptedEngine(lambda call: refuse(common_pb2.ERROR_REASON_UNAVAILABLE)) as engine:
        client = await Client.connect(engine.address, retry_timeout=0.5)
        with pytest.raises(EngineUnavailableError, match="no engine answers"):
            await client.workflow("w1").signal("s")
        await client.close()
    assert engine.connections > 1


async def test_no_engine() -> None:
    port = free_port()
    with pytest.raises(EngineUnavailableError) as raised:
        await Client.connect(f"127.0.0.1:{port}", timeout=0.2)
    assert f"no engine answers at 127.0.0.1:{port}" in str(raised.value)
    assert "sched dev" in str(raised.value)


async def test_connect_waits_for_an_engine_that_is_coming() -> None:
    engine = ScriptedEngine(accept)
    engine.role = STANDBY
    await engine.start()
    connecting = asyncio.create_task(Client.connect(engine.address))
    await engine.until(lambda: engine.refused_streams >= 2)
    engine.role = LEADER
    client = await connecting
    await client.workflow("w1").signal("s")
    await client.close()
    await engine.stop()


async def test_a_call_without_an_engine_fails_after_the_retry_timeout() -> None:
    engine = ScriptedEngine(accept)
    await engine.start()
    client = await Client.connect(engine.address, retry_timeout=0.3)
    await engine.stop()
    with pytest.raises(EngineUnavailableError, match="no engine answers"):
        await client.workflow("w1").signal("s")
    await client.close()


async def test_the_leader_is_found_among_several_addresses() -> None:
    async with ScriptedEngine() as standby, ScriptedEngine(accept) as leader:
        standby.role = STANDBY
        addresses = f"127.0.0.1:{free_port()},{standby.address},{leader.address}"
        client = await Client.connect(addresses)
        await client.workflow("w1").signal("s")
        await client.close()
    assert standby.connections == 0
    assert len(leader.calls) == 1


async def test_a_lower_epoch_is_not_obeyed() -> None:
    async with ScriptedEngine(accept) as old, ScriptedEngine(accept) as new:
        old.epoch, new.epoch = 4, 5
        new_port = new.address
        client = await Client.connect(f"{new_port},{old.address}")
        await client.workflow("w1").signal("s")
        # The leader steps back in epoch: whatever it is, it is not the newest.
        new.epoch = 3
        again = asyncio.create_task(client.workflow("w1").signal("s"))
        await new.until(lambda: len(new.calls) == 2)
        new.epoch = 6
        await again
        await client.close()
    assert old.connections == 0


async def test_a_cancelled_call_is_abandoned() -> None:
    async with (
        ScriptedEngine(lambda call: None) as engine,
        await Client.connect(engine.address) as client,
    ):
        with pytest.raises(TimeoutError):
            await client.workflow("w1").result(timeout=0.05)
        call = asyncio.create_task(client.workflow("w1").signal("s"))
        await engine.until(lambda: len(engine.abandoned) == 1)
        assert engine.abandoned == [engine.calls[0].id]
        call.cancel()
        await asyncio.wait([call])


async def test_closing_fails_the_calls_under_way() -> None:
    async with ScriptedEngine(lambda call: None) as engine:
        client = await Client.connect(engine.address)
        call = asyncio.create_task(client.workflow("w1").signal("s"))
        await engine.until(lambda: len(engine.calls) == 1)
        await client.close()
        with pytest.raises(EngineUnavailableError, match="closed"):
            await call
        with pytest.raises(EngineUnavailableError, match="closed"):
            await client.workflow("w1").signal("s")


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        (common_pb2.ERROR_REASON_WORKFLOW_NOT_FOUND, WorkflowNotFoundError),
        (common_pb2.ERROR_REASON_INVALID_ARGUMENT, InvalidArgumentError),
        (common_pb2.ERROR_REASON_LIMIT_EXCEEDED, LimitExceededError),
    ],
)
async def test_refusals_are_exceptions(
    reason: common_pb2.ErrorReason.ValueType, error: type[Exception]
) -> None:
    async with (
        ScriptedEngine(lambda call: refuse(reason, "because")) as engine,
        await Client.connect(engine.address) as client,
    ):
        with pytest.raises(error, match="because"):
            await client.workflow("w1").signal("s")


async def test_a_taken_workflow_id() -> None:
    reason = common_pb2.ERROR_REASON_WORKFLOW_ALREADY_STARTED
    async with (
        ScriptedEngine(lambda call: refuse(reason, "w1 is running")) as engine,
        await Client.connect(engine.address) as client,
    ):
        with pytest.raises(WorkflowAlreadyStartedError) as raised:
            await client.start_workflow("Greet", id="w1")
    assert raised.value.workflow_id == "w1"


async def test_a_large_argument_is_refused_before_it_is_sent() -> None:
    async with ScriptedEngine(accept) as engine, await Client.connect(engine.address) as client:
        with pytest.raises(LimitExceededError, match=r"argument 2 of workflow Greet is 3\.0 MiB"):
            await client.start_workflow("Greet", 1, "x" * (3 * 1024 * 1024))
        many = ["x" * (2 * 1024 * 1024 - 100)] * 9
        with pytest.raises(LimitExceededError, match=r"18\.0 MiB"):
            await client.start_workflow("Greet", *many)
    assert engine.calls == []


async def test_short_calls_wait_for_room_but_not_for_those_that_wait() -> None:
    allowed = asyncio.Semaphore(0)

    async def answer(call: Call) -> Reply | None:
        if call.HasField("get_workflow_result"):
            return None
        await allowed.acquire()
        return accept(call)

    async with ScriptedEngine(answer) as engine, await Client.connect(engine.address) as client:
        handle = client.workflow("w1")
        results = [asyncio.create_task(handle.result()) for _ in range(100)]
        signals = [asyncio.create_task(handle.signal("s")) for _ in range(5000)]
        await engine.until(lambda: len(engine.calls) == 4196)
        for _ in range(904):
            allowed.release()
        await engine.until(lambda: len(engine.calls) == 5100)
        for _ in range(4096):
            allowed.release()
        await asyncio.gather(*signals)
        for result in results:
            result.cancel()
        await asyncio.wait(results)


async def test_an_abandoned_call_gives_its_room_back() -> None:
    async with (
        ScriptedEngine(lambda call: None) as engine,
        await Client.connect(engine.address) as client,
    ):
        handle = client.workflow("w1")
        first = [asyncio.create_task(handle.signal("s")) for _ in range(4096)]
        await engine.until(lambda: len(engine.calls) == 4096)
        last = asyncio.create_task(handle.signal("last"))
        for call in first:
            call.cancel()
        await engine.until(lambda: len(engine.calls) == 4097)
        last.cancel()
        await asyncio.wait([*first, last])

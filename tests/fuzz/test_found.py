"""What the attacks found, each as a short test."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from sched_sdk.api.v1 import worker_service_pb2 as worker_pb
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from tests.engine.harness import Engines, schedule, until, within
from tests.engine.remote import START, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NOISE = b"\xff\xfe no message"


async def status_of(answer: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await within(answer)
    return raised.value.code(), raised.value.details() or ""


@pytest.mark.parametrize("method", ["WorkflowService/StartWorkflow", "ClusterService/GetStatus"])
async def test_an_unreadable_request_is_refused(
    method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as remote:
        call = remote.channel.unary_unary(f"/sched.v1.{method}")
        code, message = await status_of(call(NOISE))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be decoded" in message
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_unreadable_request_for_a_stream_is_refused() -> None:
    async with serving() as remote:
        call = remote.channel.unary_stream("/sched.v1.WorkflowService/FollowHistory")
        code, message = await status_of(call(NOISE).read())
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "the request of FollowHistory" in message


@pytest.mark.parametrize(
    ("service", "good"),
    [
        ("WorkflowService", pb.ClientFrame()),
        ("WorkerService", None),
        (
            "WorkerService",
            worker_pb.WorkerFrame(
                hello=worker_pb.WorkerHello(session_id="s", task_queue="default")
            ),
        ),
    ],
)
async def test_an_unreadable_frame_ends_its_stream_with_a_reason(
    service: str, good: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as remote:
        stream = remote.channel.stream_stream(f"/sched.v1.{service}/Connect")()
        if good is not None:
            await stream.write(good.SerializeToString())
            await within(stream.read())  # it is served
        await stream.write(NOISE)

        async def drain() -> None:
            while await stream.read() is not grpc.aio.EOF:
                pass
            if await stream.code() is not grpc.StatusCode.OK:
                raise grpc.aio.AioRpcError(
                    await stream.code(),
                    grpc.aio.Metadata(),
                    grpc.aio.Metadata(),
                    await stream.details(),
                )

        code, message = await status_of(drain())
        assert not remote.server.engine.workers.sessions
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be decoded" in message
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_call_number_that_is_in_use_is_refused() -> None:
    """The second call took the first one's place, and the limit forgot the first."""
    async with serving() as remote:
        await remote.client.StartWorkflow(START)
        waits = pb.GetWorkflowResultRequest(workflow_id="wf", wait_ms=60_000)
        call = pb.Call(id=7, get_workflow_result=waits)
        stream = remote.client.Connect()
        await stream.write(pb.ClientFrame(calls=[call]))
        await stream.write(pb.ClientFrame(calls=[call]))
        frame = await within(stream.read())
        while not frame.replies:
            frame = await within(stream.read())
        (reply,) = frame.replies
        assert reply.error.message.startswith("call 7 of this stream is still running")
        stream.cancel()


async def test_a_worker_that_left_does_not_keep_its_task(tmp_path: Path) -> None:
    """Its segment was read from the store after its stream had broken, and the
    task was held by nobody's session for ever."""
    engines = Engines(tmp_path / "db", workflow_task_timeout_s=60.0)
    async with engines.running() as engine:
        worker = engine.worker("gone")
        await engine.start()
        task = await worker.task()
        await engine.kill()
    segment = worker.segment(task, schedule(1), more=True)
    async with engines.running() as engine:
        gone = engine.worker("gone", first=worker_pb.WorkerFrame(segments=[segment]))
        gone.disconnect()
        other = engine.worker("other")
        taken = await other.task()
        assert taken.run_id == task.run_id
        await until(lambda: len(engine.group.cache) == 1)


async def test_a_stream_that_is_cancelled_twice_leaves_no_worker_behind() -> None:
    """The second time while its reader was being ended."""
    async with serving() as remote:
        ending, gate = asyncio.Event(), asyncio.Event()
        hello = worker_pb.WorkerHello(session_id="s", task_queue="default")

        async def frames() -> AsyncIterator[worker_pb.WorkerFrame]:
            yield worker_pb.WorkerFrame(hello=hello)
            try:
                await asyncio.Event().wait()
            finally:
                ending.set()
                await gate.wait()

        service, seen = remote.server._worker_service, asyncio.Event()

        async def stream() -> None:
            async for _ in service.Connect(frames(), None):
                seen.set()

        call = asyncio.ensure_future(stream())
        await within(seen.wait())
        call.cancel()
        await within(ending.wait())
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert not remote.server.engine.workers.sessions
        gate.set()

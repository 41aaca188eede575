"""A served engine, a channel to it, and a client's stream."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc

from sched_sdk.api.v1 import worker_service_pb2 as worker_pb
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_sdk.api.v1.cluster_service_pb2_grpc import ClusterServiceStub
from sched_sdk.api.v1.worker_service_pb2_grpc import WorkerServiceStub
from sched_sdk.api.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from sched_server import EngineServer
from sched_server.settings import MEMORY, EngineSettings

from .harness import GrpcWorker, schedule, until, within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

START = pb.StartWorkflowRequest(workflow_id="wf", workflow_type="Order")


class Remote:
    """A served engine and a channel to it."""

    def __init__(self, server: EngineServer, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.channel = channel
        self.client: Any = WorkflowServiceStub(channel)
        self.workers: Any = WorkerServiceStub(channel)
        self.cluster: Any = ClusterServiceStub(channel)

    def worker(self, session_id: str = "", **hello: Any) -> GrpcWorker:
        return GrpcWorker(self.channel, session_id, **hello)

    async def activity(self, worker: GrpcWorker) -> worker_pb.ActivityTask:
        await self.client.StartWorkflow(START)
        await worker.answer(await worker.task(), schedule(1))
        return await worker.activity()


@asynccontextmanager
async def serving(db: str | Path = MEMORY, **settings: Any) -> AsyncIterator[Remote]:
    server = EngineServer(EngineSettings(**{"db": db, "port": 0} | settings))
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        try:
            yield Remote(server, channel)
        finally:
            await within(server.stop(0))


class Stream:
    """Calls over one stream."""

    def __init__(self, remote: Remote) -> None:
        self._outgoing: asyncio.Queue[pb.ClientFrame] = asyncio.Queue()
        self._stream = remote.client.Connect(self._frames())
        self._frames_in = self._stream.__aiter__()
        self.replies: dict[int, pb.Reply] = {}
        self.reader = asyncio.ensure_future(self._read())

    async def _frames(self) -> AsyncIterator[pb.ClientFrame]:
        while True:
            yield await self._outgoing.get()

    async def _read(self) -> None:
        async for frame in self._frames_in:
            assert frame.epoch == 1
            for reply in frame.replies:
                assert reply.id not in self.replies, "one reply for each call"
                self.replies[reply.id] = reply

    def send(self, *calls: pb.Call, abandoned: tuple[int, ...] = ()) -> None:
        self._outgoing.put_nowait(pb.ClientFrame(calls=calls, abandoned=abandoned))

    async def reply(self, call_id: int) -> pb.Reply:
        await until(lambda: call_id in self.replies)
        return self.replies[call_id]

    async def close(self) -> None:
        self._stream.cancel()
        await asyncio.gather(self.reader, return_exceptions=True)


def start_call(call_id: int, workflow_id: str, **fields: Any) -> pb.Call:
    request = pb.StartWorkflowRequest(
        workflow_id=workflow_id, workflow_type="Order", request_id=workflow_id, **fields
    )
    return pb.Call(id=call_id, start_workflow=request)


def result_call(call_id: int, wait_ms: int, timeout_ms: int = 0) -> pb.Call:
    request = pb.GetWorkflowResultRequest(workflow_id="wf-1", wait_ms=wait_ms)
    return pb.Call(id=call_id, timeout_ms=timeout_ms, get_workflow_result=request)

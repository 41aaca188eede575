"""A real gRPC server that answers calls as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

import grpc.aio

from sched_sdk.api.v1 import workflow_service_pb2
from sched_sdk.api.v1.workflow_service_pb2 import Call, Reply

Answer = Callable[[Call], Reply | Awaitable[Reply | None] | None]
LEADER = "leader"
STANDBY = "standby"


def _no_history(request: Any) -> Any:
    raise AssertionError(f"the script has no history for {request}")


class ScriptedEngine:
    """Serves WorkflowService: its stream and its histories.

    `answer` is asked for each call and gives the reply, or None to leave the
    call without one.
    """

    def __init__(self, answer: Answer | None = None, *, port: int = 0) -> None:
        self.answer: Answer = answer or (lambda call: None)
        self.role = LEADER
        self.epoch = 1
        self.calls: list[Call] = []
        self.abandoned: list[int] = []
        self.frames = 0
        self.connections = 0
        self.refused_streams = 0
        self.largest_frame = 0
        self.history: Callable[[Any], Any] = _no_history
        self.refusal: tuple[grpc.StatusCode, str, str] | None = None
        self.arrived = asyncio.Condition()
        self._port = port
        self._server: grpc.aio.Server | None = None
        self._streams: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((_Handlers(self),))
        self._port = self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        """As if the process were killed: streams break at once."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def end_streams(self) -> None:
        """Those of clients break, and nothing else."""
        for stream in self._streams:
            stream.cancel()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what has arrived fulfils the condition."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(condition)

    async def note(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()

    async def connect(self, request_iterator: Any, context: Any) -> None:
        if self.role == STANDBY:
            self.refused_streams += 1
            await self.note()
            await context.abort(grpc.StatusCode.UNAVAILABLE, "a standby; it does not serve")
        self.connections += 1
        await self.note()
        first = workflow_service_pb2.ServerFrame(epoch=self.epoch)
        await context.write(first.SerializeToString())
        stream = asyncio.create_task(self._listen(request_iterator, context))
        self._streams.add(stream)
        stream.add_done_callback(self._streams.discard)
        try:
            await asyncio.wait([stream])
        finally:
            stream.cancel()

    async def _listen(self, request_iterator: Any, context: Any) -> None:
        answers: set[asyncio.Task[None]] = set()
        writing = asyncio.Lock()  # a stream takes one write at a time
        try:
            async for data in request_iterator:
                frame = workflow_service_pb2.ClientFrame.FromString(data)
                self.frames += 1
                self.largest_frame = max(self.largest_frame, len(data))
                self.abandoned.extend(frame.abandoned)
                self.calls.extend(frame.calls)
                await self.note()
                for call in frame.calls:
                    answers.add(asyncio.create_task(self._reply(call, context, writing)))
        finally:
            for task in answers:
                task.cancel()

    async def _reply(self, call: Call, context: Any, writing: asyncio.Lock) -> None:
        reply = self.answer(call)
        if isinstance(reply, Awaitable):
            reply = await reply
        if reply is not None:
            reply.id = call.id
            frame = workflow_service_pb2.ServerFrame(replies=[reply], epoch=self.epoch)
            async with writing:
                await context.write(frame.SerializeToString())

    async def follow_history(self, data: bytes, context: Any) -> None:
        await self._refuse(context)
        request = workflow_service_pb2.FollowHistoryRequest.FromString(data)
        async for page in self.history(request):
            await context.write(page.SerializeToString())

    async def get_history(self, data: bytes, context: Any) -> bytes:
        await self._refuse(context)
        request = workflow_service_pb2.GetHistoryRequest.FromString(data)
        async for page in self.history(request):
            return page.SerializeToString()
        raise AssertionError("the script has no page")

    async def _refuse(self, context: Any) -> None:
        if self.refusal is not None:
            code, message, reason = self.refusal
            await context.abort(code, message, (("sched-reason", reason),))


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, engine: ScriptedEngine) -> None:
        self._methods = {
            "/sched.v1.WorkflowService/Connect": grpc.stream_stream_rpc_method_handler(
                engine.connect
            ),
            "/sched.v1.WorkflowService/FollowHistory": grpc.unary_stream_rpc_method_handler(
                engine.follow_history
            ),
            "/sched.v1.WorkflowService/GetHistory": grpc.unary_unary_rpc_method_handler(
                engine.get_history
            ),
        }

    def service(self, handler_call_details: Any) -> Any:
        return self._methods.get(handler_call_details.method)

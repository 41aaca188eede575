"""A real gRPC server that says to a worker what a test wants, frame by frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

import grpc
import grpc.aio

from sched_sdk import Worker
from sched_sdk._payloads import encode_all
from sched_sdk.api.v1 import history_pb2, worker_service_pb2
from sched_sdk.api.v1.worker_service_pb2 import (
    ActivityTask,
    EngineFrame,
    SegmentAck,
    WorkerFrame,
    WorkflowSegment,
    WorkflowTask,
)

Event = history_pb2.HistoryEvent
_OPTIONS = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 16 * 1024 * 1024)]


class ScriptedEngine:
    def __init__(self) -> None:
        self.epoch = 7
        self.task_timeout_us = 60_000_000
        self.frames: list[WorkerFrame] = []
        self.streams = 0
        self.refusal = ""
        self.histories: dict[str, list[Event]] = {}
        self.history_requests: list[worker_service_pb2.GetTaskHistoryRequest] = []
        self.gives_histories = asyncio.Event()
        self.gives_histories.set()
        self._arrived = asyncio.Condition()
        self._stream: asyncio.Task[None] | None = None
        self._context: Any = None
        self._writing = asyncio.Lock()
        self._server: grpc.aio.Server | None = None
        self._port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((_Handlers(self),))
        self._port = self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        """As if the process were killed."""
        if self._server is not None:
            await self._server.stop(None)
            self._server = None

    def end_stream(self) -> None:
        """The worker's stream breaks, and nothing else."""
        assert self._stream is not None
        self._stream.cancel()

    async def restart(self) -> None:
        """Die and come back; what was said before is forgotten."""
        await self.stop()
        self.frames.clear()
        streams = self.streams
        await self.start()
        await self.until(lambda: self.streams > streams and self.frames)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until what has arrived fulfils the condition."""
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(condition)

    async def push(self, **fields: Any) -> None:
        """Say it after what is being said: a stream takes one write at a time.

        The worker may have read a frame, and a test gone on, before the write of
        that frame returns.
        """
        context, writing = self._context, self._writing
        async with writing:
            await context.write(EngineFrame(**fields).SerializeToString())

    # -- what the worker said ------------------------------------------------------

    @property
    def segments(self) -> list[WorkflowSegment]:
        return [segment for frame in self.frames for segment in frame.segments]

    async def segment(self, number: int = 1) -> WorkflowSegment:
        """The segment that arrives as number so-and-so."""
        await self.until(lambda: len(self.segments) >= number)
        return self.segments[number - 1]

    # -- what the engine says ------------------------------------------------------

    async def start_run(self, run_id: str, workflow_type: str, *arguments: Any) -> None:
        """Give out the first task of a run."""
        started = history_pb2.WorkflowStarted(
            workflow_id=f"w-{run_id}",
            run_id=run_id,
            workflow_type=workflow_type,
            task_queue="default",
            input=encode_all(arguments),
            seed=1,
        )
        self.histories[run_id] = [
            Event(event_id=1, time_us=1_000, type=1, workflow_started=started)
        ]
        await self.task(run_id, dispatch=100, full_history=True)

    async def task(self, run_id: str, *, events: Iterable[Event] = (), **fields: Any) -> None:
        history = self.histories[run_id]
        history.extend(events)
        given = history if fields.get("full_history") else list(events)
        await self.push(
            workflow_tasks=[
                WorkflowTask(
                    workflow_id=f"w-{run_id}",
                    run_id=run_id,
                    attempt=1,
                    last_event_id=history[-1].event_id,
                    events=[event.SerializeToString() for event in given],
                    **fields,
                )
            ]
        )

    async def acknowledge(
        self,
        segment: WorkflowSegment,
        *,
        outcome: SegmentAck.Outcome.ValueType = SegmentAck.OUTCOME_ACCEPTED,
        events: Iterable[Event] = (),
    ) -> int:
        """Answer a segment; returns the new base."""
        history = self.histories[segment.run_id]
        base = 0
        if outcome == SegmentAck.OUTCOME_ACCEPTED:
            base = history[-1].event_id + 1
            completed = history_pb2.WorkflowTaskCompleted(
                seen=segment.seen,
                more=segment.more,
                base=segment.base,
                details=segment.details if segment.HasField("details") else None,
            )
            history.append(
                Event(event_id=base, time_us=2_000, type=2, workflow_task_completed=completed)
            )
            for command in segment.commands:
                history.append(_event_of(command, history[-1].event_id + 1))
            history.extend(events)
        await self.push(
            segment_acks=[
                SegmentAck(
                    run_id=segment.run_id,
                    dispatch=segment.dispatch,
                    segment_id=segment.segment_id,
                    outcome=outcome,
                    base=base,
                    time_us=2_000,
                    events=[event.SerializeToString() for event in events],
                    last_event_id=history[-1].event_id,
                )
            ]
        )
        return base

    async def give_activity(self, name: str, *arguments: Any, dispatch: int, **fields: Any) -> None:
        await self.push(
            activity_tasks=[
                ActivityTask(
                    workflow_id="w",
                    run_id="r",
                    seq=dispatch,
                    dispatch=dispatch,
                    attempt=1,
                    name=name,
                    input=encode_all(arguments),
                    **fields,
                )
            ]
        )

    # -- the services --------------------------------------------------------------

    async def connect(self, request_iterator: Any, context: Any) -> None:
        self.streams += 1
        self._context, self._writing = context, asyncio.Lock()
        if self.refusal:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.refusal)
        self._stream = asyncio.create_task(self._listen(request_iterator))
        try:
            await asyncio.wait([self._stream])
        finally:
            self._stream.cancel()

    async def _listen(self, request_iterator: Any) -> None:
        first = True
        async for data in request_iterator:
            if first:
                first = False
                await self.push(
                    welcome=worker_service_pb2.EngineWelcome(
                        epoch=self.epoch, workflow_task_timeout_us=self.task_timeout_us
                    )
                )
            async with self._arrived:
                self.frames.append(WorkerFrame.FromString(data))
                self._arrived.notify_all()

    async def get_task_history(self, data: bytes, context: Any) -> None:
        request = worker_service_pb2.GetTaskHistoryRequest.FromString(data)
        async with self._arrived:
            self.history_requests.append(request)
            self._arrived.notify_all()
        await self.gives_histories.wait()
        for event in self.histories[request.run_id]:
            if request.after_event_id < event.event_id <= request.last_event_id:
                page = worker_service_pb2.TaskHistoryPage(events=[event.SerializeToString()])
                await context.write(page.SerializeToString())


def signal(event_id: int, name: str, *arguments: Any) -> Event:
    received = history_pb2.SignalReceived(name=name, input=encode_all(arguments))
    return Event(event_id=event_id, time_us=3_000, type=14, signal_received=received)


def _event_of(command: worker_service_pb2.Command, event_id: int) -> Event:
    """What the engine makes of the commands that these tests use."""
    step = command.record_step
    assert command.HasField("record_step")
    assert step.HasField("result")
    completed = history_pb2.StepCompleted(
        seq=command.seq, name=step.name, result=step.result, attempt=step.attempt
    )
    return Event(event_id=event_id, time_us=2_000, type=16, step_completed=completed)


@asynccontextmanager
async def serving(**worker_options: Any) -> AsyncIterator[ScriptedEngine]:
    """A scripted engine with a worker that it has welcomed."""
    options = {"graceful_shutdown": 0.05, **worker_options}
    async with ScriptedEngine() as engine, Worker(engine.address, **options) as worker:
        await worker.ready()
        yield engine


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, engine: ScriptedEngine) -> None:
        self._methods = {
            "/sched.v1.WorkerService/Connect": grpc.stream_stream_rpc_method_handler(
                engine.connect
            ),
            "/sched.v1.WorkerService/GetTaskHistory": grpc.unary_stream_rpc_method_handler(
                engine.get_task_history
            ),
        }

    def service(self, handler_call_details: Any) -> Any:
        return self._methods.get(handler_call_details.method)

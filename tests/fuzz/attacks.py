"""What is sent: every call, alone and through the streams, and workers that lie.

The calls are taken from the API's descriptors, so one that is new is attacked
without a word here.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message_factory import GetMessageClass

from sched_sdk.api.v1 import (
    cluster_service_pb2,
    worker_service_pb2,
    workflow_service_pb2,
)
from sched_sdk.api.v1 import worker_service_pb2 as worker_pb
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from tests.engine.harness import cancel_activity, schedule, sleep, step

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor

    from .target import Target

__all__ = ["ATTACKS", "prepare_runs"]

SERVICES = (
    workflow_service_pb2.DESCRIPTOR.services_by_name["WorkflowService"],
    worker_service_pb2.DESCRIPTOR.services_by_name["WorkerService"],
    cluster_service_pb2.DESCRIPTOR.services_by_name["ClusterService"],
)
CALLS: tuple[MethodDescriptor, ...] = tuple(
    method for service in SERVICES for method in service.methods if not method.client_streaming
)
_PATIENCE_S = 0.3
"""For an answer: calls that wait for a run are given up."""

_STREAM_S = 10.0
_OWN_WRITE = "Internal error from Core"
"""What gRPC tells a client that wrote to a stream while it ended."""

_CLIENT_STREAM = "/sched.v1.WorkflowService/Connect"
_WORKER_STREAM = "/sched.v1.WorkerService/Connect"


def _serialized(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


async def prepare_runs(target: Target) -> None:
    """Ids of runs that exist, and names that somebody serves."""
    hostile = target.hostile
    hostile.know(workflow_type="Order", task_queue="default", name="send", page_size=3)
    hostile.know(workflow_types="Order", activity_names="send", wait_ms=5, timeout_ms=100)
    hostile.know(workflow_task_slots=20, activity_slots=20, session_id="liar", request_id="r1")
    for seq in range(1, 4):
        hostile.know(seq=seq, duration_us=seq, base=seq, seen=seq)
    for number in range(20):
        request = pb.StartWorkflowRequest(
            workflow_id=f"wf-{target.sent}-{number}", workflow_type="Order"
        )
        started = await target.client.StartWorkflow(request)
        hostile.know(workflow_id=started.workflow_id, run_id=started.run_id)


async def call_alone(target: Target) -> None:
    """One unary call (or one that streams its answer)."""
    hostile, chance = target.hostile, target.hostile.chance
    method = chance.choice(CALLS)
    kind = GetMessageClass(method.input_type)
    answer = GetMessageClass(method.output_type)
    message = hostile.message(kind) if chance.random() < 0.3 else hostile.plausible(kind)
    if chance.random() < 0.6:
        message = hostile.mutated(message, chance.choice((1, 1, 3)))
    data = _serialized(message)
    if chance.random() < 0.1:
        data = hostile.frame(data)
    path = f"/{method.containing_service.full_name}/{method.name}"
    target.sent += 1
    try:
        if method.server_streaming:
            stream = target.channel.unary_stream(path, None, answer.FromString)(
                data, timeout=_PATIENCE_S
            )
            async for _ in stream:
                pass
        else:
            call = target.channel.unary_unary(path, None, answer.FromString)
            learn(target, await call(data, timeout=_PATIENCE_S))
        target.count("OK")
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            target.count("given up")
        else:
            target.judge(method.name, error.code(), error.details())


def learn(target: Target, answer: Any) -> None:
    """Ids that the engine gave out are good to attack with."""
    if isinstance(answer, pb.StartWorkflowResponse):
        target.hostile.know(workflow_id=answer.workflow_id, run_id=answer.run_id)
    elif isinstance(answer, pb.ListWorkflowsResponse) and answer.next_page_token:
        target.hostile.know(page_token=answer.next_page_token)


async def client_stream(target: Target) -> None:
    """Many calls over one stream, some of them with one number."""
    chance = target.hostile.chance
    stream = target.channel.stream_stream(_CLIENT_STREAM, _serialized, pb.ServerFrame.FromString)(
        timeout=_STREAM_S
    )
    reader = asyncio.ensure_future(_read_replies(target, stream))
    await _send(target, stream, [_client_frame(target) for _ in range(chance.randint(1, 6))])
    await _end(target, stream, reader)


def _client_frame(target: Target) -> pb.ClientFrame | bytes:
    hostile, chance = target.hostile, target.hostile.chance
    frame = pb.ClientFrame()
    for _ in range(chance.randint(0, 12)):
        call = hostile.mutated(hostile.plausible(pb.Call), 1)
        if chance.random() < 0.7:
            call.id = chance.randint(1, 10)
        frame.calls.append(call)
    if chance.random() < 0.3:
        frame.abandoned.extend(chance.randint(0, 12) for _ in range(5))
    if chance.random() < 0.2:
        return hostile.mutated(frame)
    return hostile.frame(frame.SerializeToString()) if chance.random() < 0.03 else frame


async def _read_replies(target: Target, stream: Any) -> None:
    async for frame in stream:
        for reply in frame.replies:
            if reply.HasField("error"):
                target.judge("a reply", reply.error.code, reply.error.message)
            else:
                target.count("OK")


async def worker_stream(target: Target) -> None:
    """A worker that takes tasks and answers them badly."""
    hostile, chance = target.hostile, target.hostile.chance
    hello = hostile.plausible(worker_pb.WorkerHello)
    hello.session_id = chance.choice((f"liar-{chance.randrange(10**9)}", "liar"))
    hello.task_queue = "default"
    if chance.random() < 0.3:
        hello = hostile.mutated(hello)
    first = worker_pb.WorkerFrame(hello=hello)
    if chance.random() < 0.2:
        first = hostile.mutated(first)
    stream = target.channel.stream_stream(
        _WORKER_STREAM, _serialized, worker_pb.EngineFrame.FromString
    )(timeout=_STREAM_S)
    received: asyncio.Queue[worker_pb.EngineFrame] = asyncio.Queue()
    reader = asyncio.ensure_future(_read_tasks(target, stream, received))
    await _send(target, stream, [first])
    for _ in range(chance.randint(1, 8)):
        frames = []
        try:
            async with asyncio.timeout(0.03):
                frames.append(_answers(target, await received.get()))
        except TimeoutError:
            pass
        if chance.random() < 0.6:
            frames.append(_worker_frame(target))
        await _send(target, stream, frames)
    await _end(target, stream, reader)


async def _read_tasks(
    target: Target, stream: Any, received: asyncio.Queue[worker_pb.EngineFrame]
) -> None:
    hostile = target.hostile
    async for frame in stream:
        for task in frame.workflow_tasks:
            hostile.know(run_id=task.run_id, dispatch=task.dispatch, base=task.base)
            hostile.know(last_event_id=task.last_event_id, seen=task.last_event_id)
            hostile.know(renewals=task.dispatch, returned=task.dispatch)
        for activity in frame.activity_tasks:
            hostile.know(run_id=activity.run_id, dispatch=activity.dispatch, seq=activity.seq)
            hostile.know(task_token=activity.task_token, returned=activity.dispatch)
        for ack in frame.segment_acks:
            target.count(f"segment {worker_pb.SegmentAck.Outcome.Name(ack.outcome)}")
            if not ack.outcome:
                target.problems.append(f"an acknowledgement without an outcome: {ack}")
            if ack.outcome == worker_pb.SegmentAck.OUTCOME_INVALID and not ack.message:
                target.problems.append("an invalid segment without a reason")
        received.put_nowait(frame)


def _answers(target: Target, frame: worker_pb.EngineFrame) -> Any:
    """To what was pushed: some of it right, some nearly."""
    hostile, chance = target.hostile, target.hostile.chance
    answer = worker_pb.WorkerFrame()
    for task in frame.workflow_tasks:
        segment = worker_pb.WorkflowSegment(
            run_id=task.run_id,
            dispatch=task.dispatch,
            base=task.base,
            seen=task.last_event_id,
            segment_id=chance.randrange(1 << 64),
            more=chance.random() < 0.3,
        )
        for number in range(chance.randint(0, 4)):
            command = _command(target, task.base + number + 1)
            segment.commands.append(
                hostile.mutated(command, 1) if chance.random() < 0.3 else command
            )
        if chance.random() < 0.2:
            segment = hostile.mutated(segment, 1)
        answer.segments.append(segment)
        if chance.random() < 0.2:
            answer.segments.append(segment)
    for activity in frame.activity_tasks:
        report = hostile.plausible(worker_pb.ActivityReport)
        report.run_id, report.seq = activity.run_id, activity.seq
        report.dispatch = activity.dispatch
        if chance.random() < 0.5:
            report = hostile.mutated(report, 1)
        if chance.random() < 0.7:
            answer.activity_reports.append(report)
    return answer


def _command(target: Target, seq: int) -> worker_pb.Command:
    """One that honest code could have asked for."""
    hostile, chance = target.hostile, target.hostile.chance
    roll = chance.random()
    if roll < 0.4:
        return schedule(seq, start_to_close_us=chance.choice((0, 50_000)))
    if roll < 0.6:
        return sleep(seq, chance.choice((0.0, 0.02, 1e6)))
    if roll < 0.8:
        return step(seq)
    if roll < 0.9:
        return cancel_activity(chance.randint(1, seq))
    return hostile.plausible(worker_pb.Command)  # type: ignore[no-any-return]  # of that class


def _worker_frame(target: Target) -> worker_pb.WorkerFrame | bytes:
    """Out of nowhere."""
    hostile, chance = target.hostile, target.hostile.chance
    roll = chance.random()
    if roll < 0.5:
        frame = hostile.mutated(hostile.plausible(worker_pb.WorkerFrame))
    else:
        frame = hostile.message(worker_pb.WorkerFrame, 0.3)
    if roll > 0.97:
        return hostile.frame(_serialized(frame))
    return frame


async def _send(target: Target, stream: Any, frames: list[Any]) -> None:
    try:
        for frame in frames:
            target.sent += 1
            await stream.write(frame)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass  # it was ended by the engine; the reader hears why


async def _end(target: Target, stream: Any, reader: asyncio.Future[None]) -> None:
    """Say good-bye, or break off; then look how the engine took it."""
    if target.hostile.chance.random() < 0.5:
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await stream.done_writing()
        try:
            async with asyncio.timeout(target.hostile.chance.choice((0.01, 0.1))):
                await asyncio.shield(reader)
        except (TimeoutError, grpc.aio.AioRpcError):
            pass
    broke_off = stream.cancel()
    results = await asyncio.gather(reader, return_exceptions=True)
    error = results[0]
    if isinstance(error, grpc.aio.AioRpcError):
        if broke_off and error.code() is grpc.StatusCode.CANCELLED:
            return
        if error.details() == _OWN_WRITE or error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            target.count("given up")
            return
        target.judge("a stream", error.code(), error.details())
    elif isinstance(error, Exception):
        target.problems.append(f"the attacker itself failed: {error!r}")


ATTACKS = (call_alone, call_alone, call_alone, call_alone, client_stream, worker_stream)
"""One of them is drawn each time."""

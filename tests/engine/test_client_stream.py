"""Many calls over the one stream of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server.settings import ApiLimits

from .harness import until
from .remote import Stream, result_call, serving, start_call

if TYPE_CHECKING:
    pass


async def test_many_calls_travel_in_one_frame() -> None:
    async with serving() as remote:
        stream = Stream(remote)
        stream.send(*[start_call(n, f"wf-{n}") for n in range(1, 51)])

        for number in range(1, 51):
            reply = await stream.reply(number)
            assert reply.start_workflow.workflow_id == f"wf-{number}"
        await stream.close()


async def test_errors_come_as_replies() -> None:
    async with serving() as remote:
        stream = Stream(remote)
        stream.send(
            pb.Call(id=1, signal_workflow=pb.SignalWorkflowRequest(workflow_id="x", name="y")),
            pb.Call(id=2),
        )

        error = (await stream.reply(1)).error
        assert error.code == grpc.StatusCode.NOT_FOUND.value[0]
        assert error.reason == common_pb2.ERROR_REASON_WORKFLOW_NOT_FOUND
        assert "does not know the call" in (await stream.reply(2)).error.message
        await stream.close()


async def test_a_waiting_call_does_not_hold_up_the_others_and_has_a_deadline() -> None:
    async with serving() as remote:
        stream = Stream(remote)
        stream.send(start_call(1, "wf-1"))
        await stream.reply(1)
        stream.send(result_call(2, wait_ms=60_000, timeout_ms=100))

        stream.send(start_call(3, "wf-3"))
        await stream.reply(3)

        assert 2 not in stream.replies
        error = (await stream.reply(2)).error
        assert error.reason == common_pb2.ERROR_REASON_UNAVAILABLE
        assert error.message == "the call's deadline passed"
        await stream.close()


async def test_abandoned_calls_leave_nothing_behind() -> None:
    async with serving() as remote:
        stream = Stream(remote)
        stream.send(start_call(1, "wf-1"))
        await stream.reply(1)
        watchers = remote.server.engine.group.watchers
        stream.send(result_call(2, wait_ms=60_000))
        await until(lambda: bool(watchers._results))

        stream.send(abandoned=(2, 77))

        await until(lambda: not watchers._results)
        assert 2 not in stream.replies
        stream.send(result_call(3, wait_ms=60_000))
        await until(lambda: bool(watchers._results))
        await stream.close()
        await until(lambda: not watchers._results)


async def test_too_many_waiting_calls_are_refused_and_reading_goes_on() -> None:
    async with serving(api_limits=ApiLimits(calls_per_stream=2)) as remote:
        stream = Stream(remote)
        stream.send(start_call(1, "wf-1"))
        await stream.reply(1)
        stream.send(*[result_call(n, wait_ms=60_000) for n in (2, 3, 4)])

        error = (await stream.reply(4)).error

        assert error.reason == common_pb2.ERROR_REASON_LIMIT_EXCEEDED
        assert error.message.startswith("2 calls of this client are waiting")
        stream.send(abandoned=(2,))
        stream.send(start_call(5, "wf-5"))
        assert (await stream.reply(5)).HasField("start_workflow")
        await stream.close()

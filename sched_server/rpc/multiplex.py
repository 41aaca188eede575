"""Many calls over one stream.

A unary gRPC call costs both sides about fifty times what a call on a busy
stream does, so the SDK sends all its calls through one stream per client. The
reader never waits for a handler; the writer takes whatever replies are there
and sends them as one frame.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server.errors import Rejection, Unavailable
from sched_server.rpc.calls import CALLS
from sched_server.rpc.decoding import unreadable_frame
from sched_server.rpc.errors import call_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sched_server.engine import Engine

logger = logging.getLogger("sched.engine")

# A frame of replies holds at most about so many bytes, except for one reply
# that alone is larger.
FRAME_BYTES = 256 * 1024


class ClientStream:
    """One client's stream: calls in, replies out, in any order."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._replies: list[pb.Reply] = []
        self._wake = asyncio.Event()
        self._closed = False
        self.refused: Rejection | None = None
        """Why the engine ended the stream, if it did."""

    async def read(self, frames: AsyncIterator[pb.ClientFrame]) -> None:
        """Start the handlers of every call that comes, until the client ends."""
        limit = self._engine.settings.api_limits.calls_per_stream
        loop = asyncio.get_running_loop()
        try:
            async for frame in frames:
                for call in frame.calls:
                    if len(self._calls) >= limit:
                        self._reply(call.id, error=_too_many(limit))
                        continue
                    if call.id in self._calls:
                        self._reply(call.id, error=_in_use(call.id))
                        continue
                    task = loop.create_task(self._handle(call))
                    self._calls[call.id] = task
                for call_id in frame.abandoned:
                    abandoned = self._calls.get(call_id)
                    if abandoned is not None:
                        abandoned.cancel()
        except DecodeError:
            self.refused = unreadable_frame("a frame of this client")
        finally:
            self.close()

    def close(self) -> None:
        """The stream is over: nobody reads further replies."""
        self._closed = True
        self._wake.set()
        for task in self._calls.values():
            task.cancel()

    async def _handle(self, call: pb.Call) -> None:
        name = call.WhichOneof("request")
        try:
            handler = CALLS.get(name or "")
            if handler is None:
                raise Rejection(
                    "INVALID_ARGUMENT",
                    "this engine does not know the call; it is older than the client",
                )
            assert name is not None
            request = getattr(call, name)
            if call.timeout_ms:
                async with asyncio.timeout(call.timeout_ms / 1_000):
                    response = await handler(self._engine, request)
            else:
                response = await handler(self._engine, request)
        except asyncio.CancelledError:
            # Abandoned, or the stream ended. Whatever was begun is finished by
            # the commit that has it.
            return
        except TimeoutError:
            self._reply(call.id, error=call_error(Unavailable("the call's deadline passed")))
        except Exception as error:
            self._reply(call.id, error=call_error(error))
        else:
            if self._engine.holds():
                self._reply(call.id, **{name: response})
            else:  # what was read may be of the past
                self._reply(call.id, error=call_error(Unavailable("this engine leads no more")))
        finally:
            self._calls.pop(call.id, None)

    def _reply(self, call_id: int, **outcome: Any) -> None:
        error = outcome.get("error")
        if error is not None:
            self._engine.measures.errors[error.reason] += 1
        self._replies.append(pb.Reply(id=call_id, **outcome))
        self._wake.set()

    async def frames(self) -> AsyncIterator[pb.ServerFrame]:
        """What to send, as it comes."""
        while True:
            while not self._replies:
                if self._closed:
                    return
                self._wake.clear()
                await self._wake.wait()
            replies, self._replies = self._replies, []
            group = self._engine.group
            now_us = group.clock.now_us()
            for part in _split(replies):
                yield pb.ServerFrame(replies=part, epoch=group.epoch, cluster_time_us=now_us)


def _split(replies: list[pb.Reply]) -> list[list[pb.Reply]]:
    if len(replies) == 1:
        return [replies]
    parts: list[list[pb.Reply]] = [[]]
    size = 0
    for reply in replies:
        bytes_ = reply.ByteSize()
        if size and size + bytes_ > FRAME_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(reply)
        size += bytes_
    return parts


def _in_use(call_id: int) -> pb.CallError:
    message = f"call {call_id} of this stream is still running; number every call anew"
    return call_error(Rejection("INVALID_ARGUMENT", message))


def _too_many(limit: int) -> pb.CallError:
    message = (
        f"{limit:,} calls of this client are waiting, which is the limit; await some of them, "
        "or use another client"
    )
    return call_error(Rejection("LIMIT_EXCEEDED", message))

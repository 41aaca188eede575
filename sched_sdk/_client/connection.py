"""All calls of a client over one stream.

A unary gRPC call costs a fifth of a millisecond of CPU, a call among many on
one stream a few microseconds. So every call becomes an entry in a table of
pending calls and in an outbox; one task writes whatever the outbox holds as
one frame (no timer: what is alone leaves alone, what comes together travels
together), and one task reads replies and completes the futures.

    call() ──▶ pending {id: call} ──▶ outbox ──▶ writer ══▶ engine
      ▲                                                        ║
      └───────────── future.set_result ◀── reader ◀════════════╝

When the stream breaks, the next engine is tried, in turn and with backoff, and
everything that is still pending is sent again in the order of the calls. Each
mutation carries a request id, so that what had been done is not done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING

import grpc.aio

from sched_sdk._client.addresses import Rotation
from sched_sdk._client.call_errors import error_from_reply
from sched_sdk._client.machine import Machine
from sched_sdk._client.refusals import Refusals
from sched_sdk._client.transport import (
    MAXIMUM_FRAME_BYTES,
    MAXIMUM_MESSAGE_BYTES,
    Backoff,
    call_details,
    frame_entry,
    heed_cancellation,
    identity_bytes,
    megabytes,
)
from sched_sdk.api.v1 import common_pb2, workflow_service_pb2
from sched_sdk.errors import AuthenticationError, EngineUnavailableError, LimitExceededError

if TYPE_CHECKING:
    from sched_sdk.api.v1.workflow_service_pb2 import Call, Reply

__all__ = ["EngineConnection"]

logger = logging.getLogger("sched.client")

_CONNECT = "/sched.v1.WorkflowService/Connect"
_CALLS_FIELD = 1
# One attempt to reach one engine takes at most this long.
_ATTEMPT_TIMEOUT_S = 2.0
# An engine that answers nothing for so long is taken for gone.
_SILENCE_S = 5.0
# The engine bounds the calls of a stream; short ones wait here for their turn.
_WINDOW = 4096
# So many refusals in a row without a single success: look for another leader.
_REFUSALS_BEFORE_RECONNECT = 5
_UNAVAILABLE = common_pb2.ERROR_REASON_UNAVAILABLE

_by_id = attrgetter("id")
_Stream = grpc.aio.StreamStreamCall[bytes, bytes]


class _PendingCall:
    __slots__ = ("entry", "future", "id", "sent", "since", "waits")

    def __init__(
        self,
        call_id: int,
        entry: bytes,
        future: asyncio.Future[Reply],
        since: float,
        waits: bool,
    ) -> None:
        self.id = call_id
        self.entry = entry
        self.future = future
        self.since = since
        """When the call was made; with the loss of the connection, how long it waits."""
        self.waits = waits
        """The reply may take long, because something has to happen first."""
        self.sent = False


class EngineConnection:
    """A client's connection to whichever engine serves. Belongs to one event loop."""

    def __init__(
        self,
        addresses: tuple[str, ...],
        *,
        retry_timeout: float,
        machine: Machine | None = None,
    ) -> None:
        self.addresses = addresses
        self.machine = Machine() if machine is None else machine
        self._rotation = Rotation(addresses)
        self.retry_timeout = retry_timeout
        self._loop = asyncio.get_running_loop()
        self._next_id = 1
        self._pending: dict[int, _PendingCall] = {}
        self._outbox: deque[_PendingCall] = deque()
        self._in_flight = 0
        self._abandoned: list[int] = []
        self._refused: list[_PendingCall] = []
        self._refusing_since: float | None = None
        self._refusal_backoff = Backoff(uniform=self.machine.random.uniform)
        self._wake: asyncio.Future[None] | None = None
        self._channel: grpc.aio.Channel | None = None
        self._refusals = Refusals(addresses, self.machine.access)
        self._given_up: AuthenticationError | None = None
        """Set while there is no connection, and none is tried until somebody calls."""
        self._settled = asyncio.Event()
        """Set while there is a connection, or while it is given up."""
        self._lost_at = self._loop.time()
        self._epoch = 0
        self._clock_ahead_us = 0
        self._problem = ""
        self._runner: asyncio.Task[None] | None = None
        self._closed = False

    def cluster_time(self) -> datetime:
        """Now, by the clock that timers go by, as far as it was told last."""
        return datetime.now(UTC) + timedelta(microseconds=self._clock_ahead_us)

    # -- opening and closing -------------------------------------------------------

    async def open(self, timeout: float) -> None:
        """Connect. Raises EngineUnavailableError when no engine serves in time, and
        AuthenticationError, at once, when engines and client do not accept each other."""
        self._runner = self._loop.create_task(self._run(), name="sched-client")
        try:
            async with asyncio.timeout(timeout):
                await self._settled.wait()
            self._check_given_up()
        except TimeoutError:
            await self.close()
            raise self._unavailable() from None
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let go of the connection; calls under way fail."""
        self._closed = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        for call in self._pending.values():
            if not call.future.done():
                call.future.set_exception(EngineUnavailableError("the client was closed"))
        self._pending.clear()
        self._outbox.clear()

    @property
    def current_address(self) -> str:
        """The engine that serves, or that is tried next."""
        return self._rotation.current

    async def channel(self) -> grpc.aio.Channel:
        """The connection for calls that have a stream of their own.
        Raises EngineUnavailableError when no engine serves within the retry timeout, and
        AuthenticationError."""
        if self._closed:
            raise EngineUnavailableError("this client is closed")
        if self._given_up is not None:
            self._try_again()
        try:
            async with asyncio.timeout(self.retry_timeout):
                while self._channel is None:  # it may be lost again before this wakes up
                    await self._settled.wait()
                    self._check_given_up()
        except TimeoutError:
            raise self._unavailable() from None
        return self._channel

    # -- calls ---------------------------------------------------------------------

    async def call(self, request: Call, *, waits: bool = False, workflow_id: str = "") -> Reply:
        """Send a call and wait for its reply; `request.id` is set here. `waits`
        says that the engine answers when something has happened.

        Raises the engine's error, LimitExceededError for a message that is too
        large, EngineUnavailableError when no engine serves for `retry_timeout`.
        """
        if self._closed:
            raise EngineUnavailableError("this client is closed")
        call_id = self._next_id
        self._next_id = call_id + 1
        request.id = call_id
        data = request.SerializeToString()
        if len(data) > MAXIMUM_MESSAGE_BYTES:
            raise LimitExceededError(
                f"this call is {megabytes(len(data))} when encoded; the limit is "
                f"{megabytes(MAXIMUM_MESSAGE_BYTES)}. Pass less data."
            )
        future: asyncio.Future[Reply] = self._loop.create_future()
        entry = frame_entry(_CALLS_FIELD, data)
        call = _PendingCall(call_id, entry, future, self._loop.time(), waits)
        self._pending[call_id] = call
        self._outbox.append(call)
        self._wake_writer()
        try:
            reply = await future
        except asyncio.CancelledError:
            self._abandon(call)
            raise
        if reply.HasField("error"):
            raise error_from_reply(reply.error, workflow_id=workflow_id)
        return reply

    def _abandon(self, call: _PendingCall) -> None:
        """Nobody waits for the reply any more."""
        if self._pending.pop(call.id, None) is not None and call.sent:
            self._answered(call)
            self._abandoned.append(call.id)
            self._wake_writer()

    def _wake_writer(self) -> None:
        wake = self._wake
        if wake is not None and not wake.done():
            wake.set_result(None)

    # -- the life of the connection ------------------------------------------------

    async def _run(self) -> None:
        backoff = Backoff(uniform=self.machine.random.uniform)
        announced = True
        while True:
            address = self._rotation.current
            channel = self.machine.open_channel(address, _SILENCE_S)
            try:
                stream = await self._attach(channel)
                if stream is not None:
                    if not announced:
                        logger.info("connected to the engine at %s again", address)
                    announced = False
                    backoff.reset()
                    await self._serve(channel, stream)
                    logger.warning("lost the engine at %s (%s)", address, self._problem)
            finally:
                self._detach()
                await channel.close(None)
            heed_cancellation()
            if stream is not None:
                self._refusals.served()
            elif (refusal := self._refusals.final()) is not None:
                await self._give_up(refusal)
            self._fail_overdue()
            if self._rotation.advance() or stream is not None:
                await asyncio.sleep(backoff.next())

    async def _attach(self, channel: grpc.aio.Channel) -> _Stream | None:
        """A stream that this engine has taken: it says its epoch at once."""
        connect = channel.stream_stream(
            _CONNECT,
            request_serializer=identity_bytes,
            response_deserializer=workflow_service_pb2.ServerFrame.FromString,
        )
        stream = connect(None)
        self._refusals.away(self._rotation.current)
        try:
            async with asyncio.timeout(_ATTEMPT_TIMEOUT_S):
                frame = await stream.read()
        except TimeoutError:
            self._problem = f"no answer within {_ATTEMPT_TIMEOUT_S:g} s"
        except grpc.aio.AioRpcError as error:
            self._problem = call_details(error)
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._problem = "what listens there is no sched engine"
            await self._refusals.failed(self._rotation.current, error)
        else:
            if not isinstance(frame, workflow_service_pb2.ServerFrame):
                self._problem = "the engine closed the connection"
            elif self._accept_epoch(frame.epoch):
                self._set_clock(frame.cluster_time_us)
                return stream
        stream.cancel()
        return None

    def _accept_epoch(self, epoch: int) -> bool:
        """A lower epoch than seen before is a leader that does not know it was replaced."""
        if epoch and epoch < self._epoch:
            self._problem = f"its epoch {epoch} is over; epoch {self._epoch} has begun"
            return False
        self._epoch = max(self._epoch, epoch)
        return True

    def _set_clock(self, cluster_time_us: int) -> None:
        if cluster_time_us:  # an older engine does not say
            self._clock_ahead_us = cluster_time_us - time.time_ns() // 1_000

    async def _serve(self, channel: grpc.aio.Channel, stream: _Stream) -> None:
        """Write and read until the stream breaks."""
        self._channel = channel
        self._problem = "the engine closed the connection"
        self._refused.clear()
        self._abandoned.clear()
        # Everything without a reply, in the order of the calls.
        self._outbox = deque(sorted(self._pending.values(), key=_by_id))
        self._in_flight = 0
        for call in self._outbox:
            call.sent = False
        self._settled.set()
        writer = self._loop.create_task(self._write(stream), name="sched-client-writer")
        try:
            await self._read(stream)
        except grpc.aio.AioRpcError as error:
            self._problem = call_details(error)
        finally:
            writer.cancel()
            stream.cancel()
            await asyncio.wait([writer])

    def _detach(self) -> None:
        if self._settled.is_set():
            self._settled.clear()
            if self._refusing_since is None:
                self._lost_at = self._loop.time()
            else:  # it was there, but of no use
                self._lost_at = self._refusing_since
        self._channel = None

    async def _write(self, stream: _Stream) -> None:
        # A write that fails means a broken stream, and reading says why.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                frame = self._next_frame()
                if frame:
                    await stream.write(frame)
                    continue
                self._wake = self._loop.create_future()
                await self._wake

    def _next_frame(self) -> bytes:
        """What waits, up to the size of a frame; empty when nothing may leave."""
        if self._refused:
            return b""  # nothing overtakes what is to be sent again
        outbox = self._outbox
        parts: list[bytes] = []
        size = 0
        while outbox:
            call = outbox[0]
            if size and size + len(call.entry) > MAXIMUM_FRAME_BYTES:
                break
            if not call.waits and self._in_flight >= _WINDOW:
                break
            outbox.popleft()
            if not call.future.done():
                call.sent = True
                self._in_flight += not call.waits
                parts.append(call.entry)
                size += len(call.entry)
        if self._abandoned:
            frame = workflow_service_pb2.ClientFrame(abandoned=self._abandoned)
            self._abandoned.clear()
            parts.append(frame.SerializeToString())
        return b"".join(parts)

    async def _read(self, stream: _Stream) -> None:
        pending = self._pending
        refusals = 0
        while True:
            frame = await stream.read()
            if not isinstance(frame, workflow_service_pb2.ServerFrame):
                return  # the end of the stream
            if not self._accept_epoch(frame.epoch):
                return
            self._set_clock(frame.cluster_time_us)
            for reply in frame.replies:
                call = pending.pop(reply.id, None)
                if call is None:
                    continue
                self._answered(call)
                if reply.HasField("error") and reply.error.reason == _UNAVAILABLE:
                    refusals += self._refuse(call, reply.error.message)
                    continue
                refusals = 0
                self._refusing_since = None
                if not call.future.done():
                    call.future.set_result(reply)
            if refusals >= _REFUSALS_BEFORE_RECONNECT:
                return
            if self._outbox:
                self._wake_writer()  # there is room in the window again

    def _answered(self, call: _PendingCall) -> None:
        self._in_flight -= not call.waits

    # -- refusals and time limits ----------------------------------------------------

    def _refuse(self, call: _PendingCall, message: str) -> bool:
        """The engine promised nothing: send the call again after a pause.
        True for the first refusal of a round."""
        self._pending[call.id] = call
        call.sent = False
        self._refused.append(call)
        if len(self._refused) > 1:
            return False
        self._problem = message or "the engine is not ready"
        if self._refusing_since is None:
            self._refusing_since = self._loop.time()
            self._refusal_backoff.reset()
        self._loop.call_later(self._refusal_backoff.next(), self._send_refused)
        return True

    def _send_refused(self) -> None:
        again = sorted(self._refused, key=_by_id)
        self._refused.clear()
        self._outbox.extendleft(reversed(again))
        self._wake_writer()

    def _fail_overdue(self) -> None:
        """Give up calls that have waited for `retry_timeout` without an engine."""
        oldest = self._loop.time() - self.retry_timeout
        if self._lost_at > oldest:
            return
        for call in [call for call in self._pending.values() if call.since <= oldest]:
            del self._pending[call.id]
            if not call.future.done():
                call.future.set_exception(self._unavailable())

    # -- giving up -------------------------------------------------------------------

    async def _give_up(self, refusal: AuthenticationError) -> None:
        """Fail all calls, and return when there is a new one: that tries once more."""
        self._given_up = refusal
        for call in self._pending.values():
            if not call.future.done():
                call.future.set_exception(AuthenticationError(str(refusal)))
        self._pending.clear()
        self._outbox.clear()
        self._settled.set()
        self._wake = self._loop.create_future()
        await self._wake
        self._try_again()

    def _try_again(self) -> None:
        self._given_up = None
        self._settled.clear()
        self._refusals.forget()
        self._wake_writer()

    def _check_given_up(self) -> None:
        if self._given_up is not None:
            raise AuthenticationError(str(self._given_up))

    def _unavailable(self) -> EngineUnavailableError:
        where = " or ".join(self.addresses)
        plain = self._problem in ("", "connection refused")  # then there simply is none
        problem = "" if plain else f" ({self._problem})"
        return EngineUnavailableError(
            f"no engine answers at {where}{problem}; start one with `sched dev`"
        )

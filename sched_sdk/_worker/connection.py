"""The worker's stream to whichever engine leads, taken up again for ever.

A stream begins with the first frame (who the worker is, what it still runs,
and everything that was not acknowledged) and the engine's welcome. After that
one task writes what the outbox holds and one reads; frames are worked off in
plain callbacks of the loop, because workflow code runs on a loop of its own
inside of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from sched_sdk._client.addresses import Rotation
from sched_sdk._client.call_errors import error_from_rpc, is_transient
from sched_sdk._client.refusals import Refusals
from sched_sdk._client.transport import (
    Backoff,
    call_details,
    heed_cancellation,
    identity_bytes,
)
from sched_sdk.api.v1 import worker_service_pb2
from sched_sdk.errors import InvalidArgumentError, LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._client.machine import Machine
    from sched_sdk._worker.outbox import Outbox
    from sched_sdk._worker.tally import Tally

__all__ = ["WorkerConnection"]

logger = logging.getLogger("sched.worker")

_CONNECT = "/sched.v1.WorkerService/Connect"
_WELCOME_TIMEOUT_S = 5.0
# How long the engine gets to end its half after the worker has ended its own.
_GOODBYE_TIMEOUT_S = 1.0
# Activities may be C code that holds the interpreter's lock for a while, and with
# it the answers of a healthy engine.
_SILENCE_S = 8.0

_EngineFrame = worker_service_pb2.EngineFrame
_Stream = grpc.aio.StreamStreamCall[bytes, worker_service_pb2.EngineFrame]


class WorkerConnection:
    """`first_frame` makes the frame that opens a stream; `receive` takes the
    engine's frames, the welcome included."""

    def __init__(
        self,
        addresses: tuple[str, ...],
        outbox: Outbox,
        *,
        first_frame: Callable[[], bytes],
        receive: Callable[[worker_service_pb2.EngineFrame], None],
        tally: Tally,
        machine: Machine,
    ) -> None:
        self._rotation = Rotation(addresses)
        self._outbox = outbox
        self._first_frame = first_frame
        self._receive = receive
        self._tally = tally
        self._machine = machine
        self._epoch = 0
        self._problem = ""
        self._announced: bool | None = None
        self._refusals = Refusals(addresses, machine.access)
        self._has_connected = False
        self.channel: grpc.aio.Channel | None = None
        """The connection of the current stream; None while there is none."""

    async def run(self) -> None:
        """Until the outbox is closed and, while there is a stream, written.

        Raises InvalidArgumentError or LimitExceededError when the engine
        refuses the worker as such, and AuthenticationError when engines and
        worker do not accept each other (see Refusals).
        """
        backoff = Backoff(uniform=self._machine.random.uniform)
        while not self._outbox.closing:
            channel = self._machine.open_channel(self._rotation.current, _SILENCE_S)
            try:
                stream = await self._attach(channel)
                if stream is not None:
                    backoff.reset()
                    self.channel = channel
                    if await self._serve(stream):
                        return
            finally:
                self.channel = None
                await channel.close(None)
            heed_cancellation()
            if stream is not None:
                self._refusals.served()
            if (refusal := self._refusals.final()) is not None:
                raise refusal
            if self._rotation.advance() or stream is not None:
                # Not before everyone was asked: one that stands by is no loss.
                self._announce_loss()
                await asyncio.sleep(backoff.next())

    async def _attach(self, channel: grpc.aio.Channel) -> _Stream | None:
        """Open a stream; None when this engine does not take it."""
        self._outbox.reset()
        self._refusals.away(self._rotation.current)
        connect = channel.stream_stream(
            _CONNECT,
            request_serializer=identity_bytes,
            response_deserializer=_EngineFrame.FromString,
        )
        stream = connect(None)
        try:
            async with asyncio.timeout(_WELCOME_TIMEOUT_S):
                await stream.write(self._first_frame())
                frame = await stream.read()
        except TimeoutError:
            stream.cancel()
            self._problem = f"no welcome within {_WELCOME_TIMEOUT_S:g} s"
            return None
        except asyncio.InvalidStateError:  # the stream broke under the write
            self._problem = "the connection broke"
            return None
        except grpc.aio.AioRpcError as error:
            self._judge(error)
            await self._refusals.failed(self._rotation.current, error)
            return None
        if not isinstance(frame, _EngineFrame):
            self._problem = "the engine closed the connection"
            return None
        epoch = frame.welcome.epoch
        if epoch < self._epoch:
            stream.cancel()
            self._problem = f"its epoch {epoch} is over; epoch {self._epoch} has begun"
            return None
        self._epoch = epoch
        self._announce_welcome(frame.welcome)
        asyncio.get_running_loop().call_soon(self._receive, frame)
        return stream

    async def _serve(self, stream: _Stream) -> bool:
        """Write and read until the stream ends. Whether the worker wanted it."""
        loop = asyncio.get_running_loop()
        self._problem = "the engine closed the connection"
        writer = loop.create_task(self._write(stream), name="sched-worker-writer")
        try:
            while True:
                frame = await stream.read()
                if not isinstance(frame, _EngineFrame):
                    break
                loop.call_soon(self._receive, frame)
        except grpc.aio.AioRpcError as error:
            self._judge(error)
        finally:
            writer.cancel()
            stream.cancel()
            await asyncio.wait([writer])
        return self._outbox.closing

    async def _write(self, stream: _Stream) -> None:
        # A write that fails means a broken stream, and reading says why.
        with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                frame = self._outbox.take()
                if frame:
                    await stream.write(frame)
                elif self._outbox.closing:
                    break
                else:
                    await self._outbox.wait()
            await stream.done_writing()
            await asyncio.sleep(_GOODBYE_TIMEOUT_S)
            stream.cancel()

    def _judge(self, error: grpc.aio.AioRpcError) -> None:
        """Remember why a stream ended. Raises what no other try would mend."""
        self._problem = call_details(error)
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            self._problem = "what listens there is no sched engine"
        elif not is_transient(error):
            refusal = error_from_rpc(error)
            if isinstance(refusal, InvalidArgumentError | LimitExceededError):
                raise refusal from None

    def _announce_welcome(self, welcome: worker_service_pb2.EngineWelcome) -> None:
        again = " again" if self._announced is False else ""
        if self._has_connected:
            self._tally.reconnects += 1
        self._has_connected = True
        logger.info(
            "connected to the engine at %s%s (version %s)",
            self._rotation.current,
            again,
            welcome.engine_version or "unknown",
        )
        self._announced = True

    def _announce_loss(self) -> None:
        """One line per loss, however many tries it takes."""
        if self._announced is True:
            logger.warning("lost the engine (%s); trying to reach it again", self._problem)
        elif self._announced is None:
            logger.warning(
                "no engine answers at %s (%s); waiting for one. Start one with `sched dev`.",
                self._rotation,
                self._problem,
            )
        self._announced = False

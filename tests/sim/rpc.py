"""gRPC without gRPC: the channel and the server, over the simulated network.

The product's own tables of handlers and its serialized messages go through it;
only HTTP/2 is missing. What ends a call is told as gRPC tells it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
import grpc.aio

from tests.sim.network import Connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.sim.loop import Process
    from tests.sim.network import Network

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
_EOF = object()


class SimServer:
    """Where a process serves. Takes what the generated code registers."""

    def __init__(self, process: Process, address: str, observe: Callable[..., None]) -> None:
        self.process = process
        self.address = address
        self.observe = observe
        self._handlers: dict[str, Any] = {}

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        for name, handler in handlers.items():
            self._handlers[f"/{service}/{name}"] = handler

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same again, in another form."""

    def handler(self, path: str) -> Any:
        return self._handlers.get(path)


class Addresses:
    """Which process serves at which address right now."""

    def __init__(self) -> None:
        self.servers: dict[str, SimServer] = {}


class SimChannel:
    """A client's connection to one address, made with the first call."""

    def __init__(
        self, network: Network, addresses: Addresses, process: Process, address: str
    ) -> None:
        self._network = network
        self._addresses = addresses
        self._process = process
        self._address = address
        self._connection: Connection | None = None
        self._lost = ""
        self._calls: dict[int, ClientCall] = {}
        self._served: dict[int, _Serving] = {}
        self._next = 0

    def stream_stream(self, path: str, **codecs: Any) -> Callable[[None], ClientCall]:
        return lambda _: self._call(path, codecs)

    def unary_stream(self, path: str, **codecs: Any) -> Callable[[Any], ClientCall]:
        def begin(request: Any) -> ClientCall:
            call = self._call(path, codecs)
            call.send(request)
            call.half_close()
            return call

        return begin

    def unary_unary(self, path: str, **codecs: Any) -> Callable[..., Any]:
        async def ask(request: Any, timeout: float | None = None) -> Any:
            call = self._call(path, codecs)
            call.send(request)
            call.half_close()
            try:
                async with asyncio.timeout(timeout):
                    response = await call.read()
                    if response is grpc.aio.EOF:
                        raise _error(UNAVAILABLE, "the call ended without a response")
                    return response
            except TimeoutError:
                raise _error(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded") from None
            finally:
                call.cancel()

        return ask

    async def close(self, grace: float | None = None) -> None:
        for call in list(self._calls.values()):
            call.cancel()
        if self._connection is not None:
            self._connection.break_("closed", keep=True)

    def _call(self, path: str, codecs: dict[str, Any]) -> ClientCall:
        self._next += 1
        call = ClientCall(self, self._next, path, codecs)
        self._calls[call.number] = call
        if self._connection is None and not self._lost:
            self._connect()
        if self._lost:
            call.ended(UNAVAILABLE, self._lost, ())
        else:
            self.up(self._open, call, path)
        return call

    def _connect(self) -> None:
        network, address = self._network, self._address
        server = self._addresses.servers.get(address)
        if server is None or not server.process.alive:
            self._refuse("Connection refused")
            return
        self._connection = Connection(
            network,
            self._process,
            server.process,
            server.process.name,
            at_client=self._at_client,
            at_server=self._at_server,
        )
        self._server = server
        if not network.connected(self._process.name, server.process.name):
            self._connection.silence(20.0)

    def _refuse(self, reason: str) -> None:
        """Nobody is there; its machine says so."""
        self._network.loop.world_later(
            self._network.delay(), self._process.call, self._at_client, reason
        )

    def up(self, function: Callable[..., Any], *arguments: Any) -> None:
        if self._connection is not None:
            self._connection.up.send(function, *arguments)

    def down(self, function: Callable[..., Any], *arguments: Any) -> None:
        if self._connection is not None:
            self._connection.down.send(function, *arguments)

    def forget(self, call: ClientCall) -> None:
        self._calls.pop(call.number, None)

    # --- in the client's process -------------------------------------------------------

    def _at_client(self, reason: str) -> None:
        self._lost = reason
        for call in list(self._calls.values()):
            call.ended(UNAVAILABLE, reason, ())

    # --- in the server's process -------------------------------------------------------

    def _at_server(self, reason: str) -> None:
        for serving in list(self._served.values()):
            serving.gone()

    def _open(self, call: ClientCall, path: str) -> None:
        handler = self._server.handler(path)
        if handler is None:
            self.down(call.ended, grpc.StatusCode.UNIMPLEMENTED, f"no {path}", ())
            return
        serving = _Serving(self, self._server, call, path, handler)
        self._served[call.number] = serving
        serving.begin()

    def serve(self, number: int, data: Any) -> None:
        serving = self._served.get(number)
        if serving is not None:
            serving.received(data)

    def gone(self, number: int) -> None:
        serving = self._served.get(number)
        if serving is not None:
            serving.gone()

    def served(self, number: int) -> None:
        self._served.pop(number, None)


class ClientCall:
    """The client's end of a call, as grpc.aio shows it."""

    def __init__(self, channel: SimChannel, number: int, path: str, codecs: dict[str, Any]) -> None:
        self.number = number
        self.path = path
        self._channel = channel
        self._serialize = codecs["request_serializer"]
        self._deserialize = codecs["response_deserializer"]
        self._inbox: deque[Any] = deque()
        self._news = asyncio.Event()
        self._status: tuple[grpc.StatusCode, str, Any] | None = None

    def send(self, request: Any) -> None:
        self._channel.up(self._channel.serve, self.number, self._serialize(request))

    def half_close(self) -> None:
        self._channel.up(self._channel.serve, self.number, _EOF)

    async def write(self, request: Any) -> None:
        if self._status is not None:
            raise asyncio.InvalidStateError("the call is over")
        self.send(request)
        await asyncio.sleep(0)

    async def done_writing(self) -> None:
        self.half_close()

    async def read(self) -> Any:
        while not self._inbox:
            if self._status is not None:
                code, details, metadata = self._status
                if code is grpc.StatusCode.OK:
                    return grpc.aio.EOF
                raise _error(code, details, metadata)
            self._news.clear()
            await self._news.wait()
        return self._deserialize(self._inbox.popleft())

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._messages()

    async def _messages(self) -> AsyncIterator[Any]:
        while (message := await self.read()) is not grpc.aio.EOF:
            yield message

    def cancel(self) -> bool:
        if self._status is None:
            self._channel.up(self._channel.gone, self.number)
            self._inbox.clear()
            self.ended(grpc.StatusCode.CANCELLED, "Locally cancelled by application!", ())
        return True

    def received(self, data: bytes) -> None:
        if self._status is None:
            self._inbox.append(data)
            self._news.set()

    def ended(self, code: grpc.StatusCode, details: str, metadata: Any) -> None:
        if self._status is None:
            self._status = (code, details, metadata)
            self._news.set()
            self._channel.forget(self)


class _Serving:
    """The server's end of a call, and the context that its handler gets."""

    def __init__(
        self, channel: SimChannel, server: SimServer, call: ClientCall, path: str, handler: Any
    ) -> None:
        self._channel = channel
        self._server = server
        self._call = call
        self._path = path
        self._handler = handler
        self._requests: deque[Any] = deque()
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def received(self, data: Any) -> None:
        self._requests.append(data)
        self._news.set()

    def gone(self) -> None:
        """The client is not there any more."""
        self.received(_EOF)
        if self._task is not None:
            self._task.cancel()

    async def abort(self, code: grpc.StatusCode, details: str, metadata: Any = ()) -> NoReturn:
        self._end(code, details, metadata)
        raise grpc.aio.AbortError(details)

    async def _serve(self) -> None:
        handler = self._handler
        try:
            request = self._iterate()
            if not handler.request_streaming:
                request = await anext(request)
            if handler.response_streaming:
                behaviour = handler.stream_stream or handler.unary_stream
                async for response in behaviour(request, self):
                    self._send(response)
                    await asyncio.sleep(0)
            else:
                self._send(await handler.unary_unary(request, self))
        except grpc.aio.AbortError:
            pass
        except asyncio.CancelledError:
            self._end(grpc.StatusCode.CANCELLED, "cancelled", ())
        except Exception as error:
            self._end(grpc.StatusCode.UNKNOWN, f"Unexpected {type(error)}: {error}", ())
        else:
            self._end(grpc.StatusCode.OK, "", ())
        finally:
            self._channel.served(self._call.number)

    async def _iterate(self) -> AsyncIterator[Any]:
        while True:
            while not self._requests:
                self._news.clear()
                await self._news.wait()
            data = self._requests.popleft()
            if data is _EOF:
                self._requests.append(_EOF)
                return
            message = self._handler.request_deserializer(data)
            self._server.observe(self._channel._process, self._path, message, sent=False)
            yield message

    def _send(self, response: Any) -> None:
        self._server.observe(self._channel._process, self._path, response, sent=True)
        data = self._handler.response_serializer(response)
        self._channel.down(self._call.received, data)

    def _end(self, code: grpc.StatusCode, details: str, metadata: Any) -> None:
        self._channel.down(self._call.ended, code, details, grpc.aio.Metadata(*metadata))


def _error(code: grpc.StatusCode, details: str, metadata: Any = ()) -> grpc.aio.AioRpcError:
    if not isinstance(metadata, grpc.aio.Metadata):
        metadata = grpc.aio.Metadata(*metadata)
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details)

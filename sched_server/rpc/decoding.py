"""Requests that are no messages: refused in words, not logged as our failure.

gRPC takes an exception out of a deserializer for a bug of the server. Here a
request that cannot be read travels on as `Unreadable`, and its call ends with
INVALID_ARGUMENT before the handler is asked. Streams hear of a bad frame where
they read (`unreadable_frame`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from sched_server.errors import Rejection
from sched_server.rpc.errors import abort

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from sched_server.observability.measures import Measures

__all__ = ["ReadableOnly", "unreadable_frame"]


class Unreadable:
    """In place of a request whose bytes are no message of its type."""


_UNREADABLE = Unreadable()


def unreadable_frame(what: str) -> Rejection:
    return Rejection(
        "INVALID_ARGUMENT",
        f"{what} is not a message of this API (it cannot be decoded); the client speaks another "
        "protocol, or something on the way damages what it sends",
    )


class ReadableOnly:
    """A server as generated code knows it: registers handlers whose requests are
    refused when they cannot be decoded."""

    def __init__(self, server: grpc.aio.Server, measures: Measures) -> None:
        self._server = server
        self._measures = measures

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """The same handlers come by name."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        guarded = {name: self._guarded(name, handler) for name, handler in handlers.items()}
        generic = grpc.method_handlers_generic_handler(service, guarded)
        self._server.add_generic_rpc_handlers((generic,))

    def _guarded(self, name: str, handler: Any) -> Any:
        if handler.request_streaming:
            return handler
        decode: Callable[[bytes], Any] = handler.request_deserializer

        def read(data: bytes) -> Any:
            try:
                return decode(data)
            except DecodeError:
                return _UNREADABLE

        async def refuse(context: Any) -> None:
            await abort(context, unreadable_frame(f"the request of {name}"), self._measures)

        if handler.response_streaming:
            stream = handler.unary_stream

            async def answers(request: Any, context: Any) -> AsyncIterator[Any]:
                if request is _UNREADABLE:
                    await refuse(context)
                async for response in stream(request, context):
                    yield response

            return grpc.unary_stream_rpc_method_handler(answers, read, handler.response_serializer)
        call = handler.unary_unary

        async def answer(request: Any, context: Any) -> Any:
            if request is _UNREADABLE:
                await refuse(context)
            return await call(request, context)

        return grpc.unary_unary_rpc_method_handler(answer, read, handler.response_serializer)

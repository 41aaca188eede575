"""Calls beside the multiplexed stream: histories, which may be large, and what
is asked rarely. They use the same connection and survive its loss as well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, TypeVar

import grpc.aio

from sched_sdk._client.call_errors import error_from_rpc, is_transient
from sched_sdk._client.conversions import event_from_bytes
from sched_sdk._client.transport import Backoff, call_details, closing_is_an_error
from sched_sdk.api.v1 import workflow_service_pb2
from sched_sdk.errors import EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from google.protobuf.message import Message

    from sched_sdk._client.connection import EngineConnection
    from sched_sdk._client.models import Event

__all__ = ["follow_history", "read_history", "unary_call"]

_WORKFLOW_SERVICE = "/sched.v1.WorkflowService/"
# Between two tries of a unary call the engine gets this long to answer.
_CALL_TIMEOUT_S = 10.0

_Response_co = TypeVar("_Response_co", covariant=True)


class _ResponseType(Protocol[_Response_co]):
    def FromString(self, data: bytes, /) -> _Response_co: ...  # noqa: N802 - protobuf's name


async def unary_call(
    connection: EngineConnection,
    method: str,
    request: Message,
    response_type: _ResponseType[_Response_co],
) -> _Response_co:
    """Make one call of its own, "/service/method"; again when the connection breaks.

    Raises the engine's error, or EngineUnavailableError when no engine serves
    within the retry timeout.
    """
    tries = _Tries(connection)
    while True:
        channel = await connection.channel()
        call = channel.unary_unary(
            method,
            request_serializer=_serialize,
            response_deserializer=response_type.FromString,
        )
        try:
            with closing_is_an_error():
                response: _Response_co = await call(request, timeout=_CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            await tries.failed(error)
        else:
            return response


async def read_history(
    connection: EngineConnection, workflow_id: str, run_id: str, after_event_id: int
) -> AsyncIterator[Event]:
    """The committed events behind `after_event_id`, page by page."""
    more = True
    while more:
        page = await unary_call(
            connection,
            _WORKFLOW_SERVICE + "GetHistory",
            workflow_service_pb2.GetHistoryRequest(
                workflow_id=workflow_id, run_id=run_id, after_event_id=after_event_id
            ),
            workflow_service_pb2.GetHistoryResponse,
        )
        run_id = page.run_id or run_id  # all pages are of one run
        for data in page.events:
            event = event_from_bytes(data)
            after_event_id = event.event_id
            yield event
        more = page.more and bool(page.events)


async def follow_history(
    connection: EngineConnection, workflow_id: str, run_id: str, after_event_id: int
) -> AsyncIterator[Event]:
    """The events behind `after_event_id` as they are committed, until the run
    closes. After a broken connection it goes on behind the last event."""
    tries = _Tries(connection)
    while True:
        channel = await connection.channel()
        stream = channel.unary_stream(
            _WORKFLOW_SERVICE + "FollowHistory",
            request_serializer=_serialize,
            response_deserializer=workflow_service_pb2.GetHistoryResponse.FromString,
        )(
            workflow_service_pb2.FollowHistoryRequest(
                workflow_id=workflow_id, run_id=run_id, after_event_id=after_event_id
            )
        )
        try:
            async for page in _pages(stream):
                tries.progressed()
                run_id = page.run_id or run_id
                for data in page.events:
                    event = event_from_bytes(data)
                    if event.event_id > after_event_id:
                        after_event_id = event.event_id
                        yield event
        except grpc.aio.AioRpcError as error:
            await tries.failed(error)
        else:
            return
        finally:
            stream.cancel()


async def _pages(
    stream: AsyncIterable[workflow_service_pb2.GetHistoryResponse],
) -> AsyncIterator[workflow_service_pb2.GetHistoryResponse]:
    with closing_is_an_error():
        async for page in stream:
            yield page


class _Tries:
    """Decides whether a failed call is made again, and waits until then."""

    def __init__(self, connection: EngineConnection) -> None:
        self._backoff = Backoff(uniform=connection.machine.random.uniform)
        self._loop = asyncio.get_running_loop()
        self._timeout = connection.retry_timeout
        self._failing_since: float | None = None

    def progressed(self) -> None:
        self._failing_since = None
        self._backoff.reset()

    async def failed(self, error: grpc.aio.AioRpcError) -> None:
        """Raises the error when trying again would not help."""
        if not is_transient(error):
            raise error_from_rpc(error) from None
        now = self._loop.time()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._timeout:
            raise EngineUnavailableError(
                f"the engine did not answer for {self._timeout:g} s ({call_details(error)})"
            ) from None
        await asyncio.sleep(self._backoff.next())


def _serialize(request: Message) -> bytes:
    return request.SerializeToString()

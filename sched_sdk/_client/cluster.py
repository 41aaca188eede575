"""Asking one engine how the cluster is, whatever its role, and moving the clock of
a dev server.

A client is connected to the engine that leads. Here any engine will do, also
one that stands by and refuses a client's stream: the call has a channel of its
own, and is made once, with the TLS and the token that the environment names.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import grpc.aio

from sched_sdk._access import access_of
from sched_sdk._client.call_errors import error_from_rpc, has_reason
from sched_sdk._client.channels import ChannelOpener
from sched_sdk._client.conversions import cluster_status_from_proto, time_advance_from_proto
from sched_sdk._client.models import ClusterStatus, TimeAdvance
from sched_sdk._client.refusals import refusal_of
from sched_sdk._client.transport import call_details
from sched_sdk.api.v1 import cluster_service_pb2, cluster_service_pb2_grpc
from sched_sdk.errors import EngineError, EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

__all__ = ["EngineSilentError", "advance_time", "ask_status"]

_NO_ENGINE = "what listens there is no sched engine"
_MICROSECOND = timedelta(microseconds=1)


class EngineSilentError(EngineUnavailableError):
    """Something takes the connection, or nothing refuses it, and no answer comes."""


async def ask_status(address: str, *, timeout: float) -> ClusterStatus:
    """What the engine at "host:port" says of itself and of the cluster.

    Raises EngineUnavailableError when none is there, EngineSilentError when none
    answers within `timeout` seconds, AuthenticationError when engine and caller do not
    accept each other, and EngineError when what answers cannot say, because its store is
    away or it is no engine.
    """
    async with _stub(address) as stub:
        try:
            request = cluster_service_pb2.GetStatusRequest()
            response = await stub.GetStatus(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if has_reason(error):
                raise EngineError(str(error_from_rpc(error))) from error
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise EngineError(_NO_ENGINE) from error
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise EngineSilentError(f"no answer within {timeout:g} s") from error
            refusal = await refusal_of(error, address, access_of())
            raise refusal or EngineUnavailableError(call_details(error)) from error
    return cluster_status_from_proto(response, address)


async def advance_time(
    address: str, by: timedelta, *, patience: timedelta = timedelta(0)
) -> AsyncGenerator[TimeAdvance]:
    """Move the clock of the dev server at "host:port"; tells from time to time how
    far it is, and at the end. Ending the iteration leaves time where it is then.

    `patience` is how long work under way may take before time stops moving; 0 is
    ten seconds. Raises InvalidArgumentError from an engine whose clock cannot be
    moved, and EngineUnavailableError.
    """
    request = cluster_service_pb2.AdvanceTimeRequest(
        advance_us=by // _MICROSECOND, patience_us=patience // _MICROSECOND
    )
    async with _stub(address) as stub:
        call = stub.AdvanceTime(request)
        try:
            async for response in call:
                yield time_advance_from_proto(response)
                if response.done:
                    return
        except grpc.aio.AioRpcError as error:
            if has_reason(error):
                raise error_from_rpc(error) from error
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise EngineError(
                    "the engine is older than this command, and cannot move its clock"
                ) from error
            refusal = await refusal_of(error, address, access_of())
            raise refusal or EngineUnavailableError(call_details(error)) from error
        finally:
            call.cancel()


@asynccontextmanager
async def _stub(address: str) -> AsyncIterator[cluster_service_pb2_grpc.ClusterServiceAsyncStub]:
    channel = ChannelOpener(access_of())(address)
    try:
        yield cluster_service_pb2_grpc.ClusterServiceStub(channel)
    finally:
        await channel.close(None)

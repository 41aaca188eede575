"""Asking one engine how the cluster is, whatever its role.

A client is connected to the engine that leads. Here any engine will do, also
one that stands by and refuses a client's stream: the call has a channel of its
own, and is made once.
"""

from __future__ import annotations

import grpc
import grpc.aio

from sched_sdk._client.call_errors import error_from_rpc, has_reason
from sched_sdk._client.conversions import cluster_status_from_proto
from sched_sdk._client.models import ClusterStatus
from sched_sdk._client.transport import call_details, open_channel
from sched_sdk.api.v1 import cluster_service_pb2, cluster_service_pb2_grpc
from sched_sdk.errors import EngineError, EngineUnavailableError

__all__ = ["EngineSilentError", "ask_status"]


class EngineSilentError(EngineUnavailableError):
    """Something takes the connection, or nothing refuses it, and no answer comes."""


async def ask_status(address: str, *, timeout: float) -> ClusterStatus:
    """What the engine at "host:port" says of itself and of the cluster.

    Raises EngineUnavailableError when none is there, EngineSilentError when none
    answers within `timeout` seconds, and EngineError when what answers cannot say,
    because its store is away or it is no engine.
    """
    channel = open_channel(address)
    try:
        stub = cluster_service_pb2_grpc.ClusterServiceStub(channel)
        request = cluster_service_pb2.GetStatusRequest()
        response = await stub.GetStatus(request, timeout=timeout)
    except grpc.aio.AioRpcError as error:
        if has_reason(error):
            raise EngineError(str(error_from_rpc(error))) from error
        if error.code() is grpc.StatusCode.UNIMPLEMENTED:
            raise EngineError("what listens there is no sched engine") from error
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise EngineSilentError(f"no answer within {timeout:g} s") from error
        raise EngineUnavailableError(call_details(error)) from error
    finally:
        await channel.close(None)
    return cluster_status_from_proto(response, address)

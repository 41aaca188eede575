"""One quick question to an engine, for those who cannot wait for the client to load.

A shell that completes a word starts a process for it; most of the client's imports
are for what this does not need. Plain calls, no retries, the first engine of the
list that answers in time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import grpc

from sched_sdk._access import access_of
from sched_sdk.api.v1 import cluster_service_pb2, workflow_service_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from google.protobuf.message import Message

    from sched_sdk._access import Access

__all__ = ["builds", "newest_ids", "task_queues", "workflow_types"]

ResponseT = TypeVar("ResponseT", bound="Message")


def newest_ids(addresses: Sequence[str], prefix: str, *, limit: int, timeout_s: float) -> list[str]:
    """Ids that begin so, those of the newest runs first. Raises grpc.RpcError when no
    engine answers."""
    request = workflow_service_pb2.ListWorkflowsRequest(page_size=limit)
    request.filter.workflow_id_prefix = prefix
    response = _ask(
        addresses,
        "/sched.v1.WorkflowService/ListWorkflows",
        request,
        workflow_service_pb2.ListWorkflowsResponse.FromString,
        timeout_s,
    )
    return list(dict.fromkeys(run.workflow_id for run in response.workflows))


def workflow_types(addresses: Sequence[str], *, timeout_s: float) -> list[str]:
    """Types that workers serve. Raises grpc.RpcError."""
    workers = _status(addresses, timeout_s).workers
    return sorted({name for worker in workers for name in worker.workflow_types})


def task_queues(addresses: Sequence[str], *, timeout_s: float) -> list[str]:
    """Queues that have workers or tasks. Raises grpc.RpcError."""
    return [queue.name for queue in _status(addresses, timeout_s).task_queues]


def builds(addresses: Sequence[str], *, timeout_s: float) -> list[str]:
    """The builds of connected workers. Raises grpc.RpcError."""
    return sorted({worker.build_id for worker in _status(addresses, timeout_s).workers})


def _status(addresses: Sequence[str], timeout_s: float) -> cluster_service_pb2.GetStatusResponse:
    return _ask(
        addresses,
        "/sched.v1.ClusterService/GetStatus",
        cluster_service_pb2.GetStatusRequest(),
        cluster_service_pb2.GetStatusResponse.FromString,
        timeout_s,
    )


def _ask(
    addresses: Sequence[str],
    method: str,
    request: Message,
    read: Callable[[bytes], ResponseT],
    timeout_s: float,
) -> ResponseT:
    """The answer of the first engine that gives one."""
    deadline = time.monotonic() + timeout_s
    *others, last = addresses
    for address in others:
        try:
            return _ask_one(address, method, request, read, deadline)
        except grpc.RpcError:
            continue  # it is away, or stands by
    return _ask_one(last, method, request, read, deadline)


def _ask_one(
    address: str,
    method: str,
    request: Message,
    read: Callable[[bytes], ResponseT],
    deadline: float,
) -> ResponseT:
    access = access_of()
    with _channel(address, access) as channel:
        call = channel.unary_unary(
            method, request_serializer=_serialize, response_deserializer=read
        )
        left_s = max(0.0, deadline - time.monotonic())
        response: ResponseT = call(request, timeout=left_s, metadata=access.metadata)
        return response


def _channel(address: str, access: Access) -> grpc.Channel:
    if access.tls is None:
        return grpc.insecure_channel(address)
    from sched_sdk._tls import credentials_of, name_options

    return grpc.secure_channel(address, credentials_of(access.tls), options=name_options(access))


def _serialize(request: Message) -> bytes:
    return request.SerializeToString()

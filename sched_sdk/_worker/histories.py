"""The history that a task or a question comes with, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk._client.transport import closing_is_an_error, connection_closed
from sched_sdk.api.v1 import worker_service_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import grpc.aio

    from sched_sdk.api.v1.worker_service_pb2 import QueryTask, WorkflowTask

__all__ = ["SLICE_EVENTS", "history_slices"]

SLICE_EVENTS = 2_000
"""Between so many events that are replayed, the event loop gets its turn."""

_GET_TASK_HISTORY = "/sched.v1.WorkerService/GetTaskHistory"


async def history_slices(
    task: WorkflowTask | QueryTask, channel: grpc.aio.Channel | None
) -> AsyncIterator[Sequence[bytes]]:
    """The history in slices, from the first event to the task's last.

    Raises AioRpcError, also when there is no connection (any more): a part of a
    history must not be taken for the whole.
    """
    async for page in _pages(task, channel):
        for start in range(0, len(page), SLICE_EVENTS):
            yield page[start : start + SLICE_EVENTS]


async def _pages(
    task: WorkflowTask | QueryTask, channel: grpc.aio.Channel | None
) -> AsyncIterator[Sequence[bytes]]:
    last = 0
    if task.full_history:
        yield task.events
        last = len(task.events)  # ids have no gaps
        if not task.more_pages:
            return
    if channel is None:
        raise connection_closed()
    request = worker_service_pb2.GetTaskHistoryRequest(
        run_id=task.run_id, after_event_id=last, last_event_id=task.last_event_id
    )
    with closing_is_an_error():
        pages = channel.unary_stream(
            _GET_TASK_HISTORY,
            request_serializer=worker_service_pb2.GetTaskHistoryRequest.SerializeToString,
            response_deserializer=worker_service_pb2.TaskHistoryPage.FromString,
        )(request)
        try:
            async for page in pages:
                if page.events:
                    yield page.events
        finally:
            pages.cancel()

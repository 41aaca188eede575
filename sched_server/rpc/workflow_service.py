"""WorkflowService: the client's calls, multiplexed or unary, and histories."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_sdk.api.v1 import workflow_service_pb2_grpc as rpc
from sched_server import edge
from sched_server.host import NotLeading
from sched_server.rpc.calls import CALLS
from sched_server.rpc.errors import abort
from sched_server.rpc.multiplex import ClientStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sched_server.engine import Engine
    from sched_server.host import EngineHost
    from sched_server.store.port import RunRow

    Context = Any


class WorkflowService(rpc.WorkflowServiceServicer):
    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._streams: dict[ClientStream, None] = {}

    def close_streams(self) -> None:
        """The engine stops: clients move to another, or wait."""
        for stream in list(self._streams):
            stream.close()

    async def Connect(  # noqa: N802 - the API's name
        self,
        request_iterator: AsyncIterator[pb.ClientFrame],
        context: Context,
    ) -> AsyncIterator[pb.ServerFrame]:
        try:
            engine = self._host.leading()
        except NotLeading as error:
            await abort(context, error, self._host.measures)
        stream = ClientStream(engine)
        self._streams[stream] = None
        reader = asyncio.ensure_future(stream.read(request_iterator))
        try:
            # Tells the client at once that somebody serves.
            group = engine.group
            yield pb.ServerFrame(epoch=group.epoch, cluster_time_us=group.clock.now_us())
            async for frame in stream.frames():
                yield frame
            if stream.refused is not None:
                await abort(context, stream.refused, self._host.measures)
        finally:
            self._streams.pop(stream, None)
            stream.close()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _unary(self, name: str, request: Any, context: Context) -> Any:
        try:
            engine = self._host.leading()
            response = await CALLS[name](engine, request)
            if not engine.holds():  # what was read may be of the past
                self._host.leading()
            return response
        except Exception as error:
            await abort(context, error, self._host.measures)

    async def StartWorkflow(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("start_workflow", request, context)

    async def SignalWorkflow(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("signal_workflow", request, context)

    async def CancelWorkflow(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("cancel_workflow", request, context)

    async def TerminateWorkflow(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("terminate_workflow", request, context)

    async def DescribeWorkflow(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("describe_workflow", request, context)

    async def GetWorkflowResult(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("get_workflow_result", request, context)

    async def ListWorkflows(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("list_workflows", request, context)

    async def CountWorkflows(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("count_workflows", request, context)

    async def ResetWorkflow(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("reset_workflow", request, context)

    async def QueryWorkflow(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._unary("query_workflow", request, context)

    async def GetHistory(  # noqa: N802
        self, request: pb.GetHistoryRequest, context: Context
    ) -> pb.GetHistoryResponse:
        try:
            engine = self._host.leading()
            row = await _row(engine, request)
            if request.page_size < 0:
                raise edge.invalid(f"page_size is {request.page_size}; it must be 0 or more")
            return await _page(engine, row, request.after_event_id, request.page_size)
        except Exception as error:
            await abort(context, error, self._host.measures)

    async def FollowHistory(  # noqa: N802
        self, request: pb.FollowHistoryRequest, context: Context
    ) -> AsyncIterator[pb.GetHistoryResponse]:
        try:
            engine = self._host.leading()
            row = await _row(engine, request)
        except Exception as error:
            await abort(context, error, self._host.measures)
        watchers = engine.group.watchers
        changed = watchers.follow(row.run_key)
        after = request.after_event_id
        try:
            while True:
                changed.clear()
                latest = await engine.store.read_run(row.run_key)
                assert latest is not None
                while after < latest.last_event_id:
                    page = await _page(engine, latest, after, 0)
                    if not page.events:
                        break
                    after += len(page.events)
                    yield page
                if latest.closed_us:
                    return
                await changed.wait()
                self._host.leading()
        except Exception as error:
            await abort(context, error, self._host.measures)
        finally:
            watchers.unfollow(row.run_key, changed)


async def _row(engine: Engine, request: pb.GetHistoryRequest | pb.FollowHistoryRequest) -> RunRow:
    edge.check_target(engine.settings.api_limits, request.workflow_id, request.run_id)
    if request.after_event_id < 0:
        raise edge.invalid(f"after_event_id is {request.after_event_id}; it must be 0 or more")
    return await engine.row(request.workflow_id, request.run_id)


async def _page(engine: Engine, row: RunRow, after: int, size: int) -> pb.GetHistoryResponse:
    limits = engine.settings.api_limits
    rows = await engine.store.read_history(
        row.run_key,
        after_event_id=after,
        limit=min(size or limits.page_events, limits.page_events),
        max_bytes=limits.page_bytes,
    )
    last = rows[-1].event_id if rows else after
    return pb.GetHistoryResponse(
        workflow_id=row.workflow_id,
        run_id=row.run_id,
        events=[event.data for event in rows],
        more=bool(rows) and last < row.last_event_id,
    )

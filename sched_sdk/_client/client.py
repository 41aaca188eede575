"""The client: start workflows, talk to them, look at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack, overload

from sched_sdk._access import access_to
from sched_sdk._client.addresses import parse_addresses
from sched_sdk._client.connection import EngineConnection
from sched_sdk._client.conversions import (
    cluster_status_from_proto,
    count_from_proto,
    info_from_proto,
    status_from_proto,
)
from sched_sdk._client.handles import LONGEST_WAIT_MS, ActivityTaskHandle, WorkflowHandle
from sched_sdk._client.machine import Machine
from sched_sdk._client.requests import (
    RequestIds,
    StartOptions,
    start_request,
    workflow_filter,
)
from sched_sdk._client.side_calls import unary_call
from sched_sdk._client.transport import default_identity
from sched_sdk._tracing import spans
from sched_sdk.api.v1 import cluster_service_pb2
from sched_sdk.api.v1.workflow_service_pb2 import (
    Call,
    CountWorkflowsRequest,
    ListWorkflowsRequest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from sched_sdk._access import TLS
    from sched_sdk._client.models import (
        ClusterStatus,
        WorkflowCount,
        WorkflowInfo,
        WorkflowStatus,
    )
    from sched_sdk._context import WorkflowContext
    from sched_sdk.api.v1.workflow_service_pb2 import StartWorkflowRequest, StartWorkflowResponse

__all__ = ["Client"]

R = TypeVar("R")
Arguments = TypeVarTuple("Arguments")

_LIST_PAGE = 100


class Client:
    """A connection to the engine; made with `await Client.connect(...)`.

    One client serves a whole process: its calls share one stream, and it
    rides out restarts of the engine. It belongs to the event loop in which it
    was connected.
    """

    def __init__(self, connection: EngineConnection, identity: str) -> None:
        """Use `Client.connect`."""
        self._connection = connection
        self._request_ids = RequestIds(connection.machine.random)
        self._identity = identity

    @classmethod
    async def connect(
        cls,
        address: str | None = None,
        *,
        identity: str | None = None,
        timeout: float = 5.0,
        retry_timeout: float = 60.0,
        tls: TLS | None = None,
        token: str | None = None,
    ) -> Self:
        """Connect to the engine that serves.

        `address` is "host:port", or several separated by commas of which one
        leads; by default SCHED_ENGINE_ADDRESS, ENGINE_ADDRESS or
        localhost:50051. `identity` names this client in histories ("pid@host").
        `timeout` seconds without an engine raise EngineUnavailableError; later
        calls wait up to `retry_timeout` seconds for one to come back.

        `tls` is None for plain text, `token` what the engine asks callers for. Where
        neither they nor an address are given, the environment says all: SCHED_TLS,
        SCHED_TLS_CA and SCHED_TOKEN are some of it. Raises AuthenticationError, at once,
        when engine and client do not accept each other, and InvalidArgumentError for
        files that cannot be used.
        """
        connection = EngineConnection(
            parse_addresses(address),
            retry_timeout=retry_timeout,
            machine=Machine(access=access_to(address, tls, token)),
        )
        await connection.open(timeout)
        return cls(connection, default_identity() if identity is None else identity)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the connection. Calls under way raise EngineUnavailableError."""
        await self._connection.close()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The engines that this client may talk to."""
        return self._connection.addresses

    @property
    def identity(self) -> str:
        """How histories name this client."""
        return self._identity

    def cluster_time(self) -> datetime:
        """Now, by the clock that the engine's timers go by: the time of the machine
        with the database, and on a dev server what `sched time advance` made of it.
        A round trip's time behind at most."""
        return self._connection.cluster_time()

    @property
    def _machine(self) -> Machine:
        """What the client runs on; its workers run on the same."""
        return self._connection.machine

    # -- starting ------------------------------------------------------------------

    @overload
    async def start_workflow(
        self,
        workflow: Callable[[WorkflowContext, *Arguments], Awaitable[R]],
        /,
        *args: *Arguments,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[R]: ...
    @overload
    async def start_workflow(
        self,
        workflow: str,
        /,
        *args: Any,
        result_type: type[R],
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[R]: ...
    @overload
    async def start_workflow(
        self,
        workflow: str,
        /,
        *args: Any,
        result_type: Any = None,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[Any]: ...
    async def start_workflow(  # type: ignore[misc]  # mypy: *args: Any does not take a TypeVarTuple
        self,
        workflow: Any,
        /,
        *args: Any,
        result_type: Any = None,
        **options: Unpack[StartOptions],
    ) -> WorkflowHandle[Any]:
        """Start a workflow; it is durable when this returns.

        `workflow` is the decorated function, or its name (then `result_type`
        says how to read the result). The options (StartOptions) are:

        - `id`: the workflow id, by default a new one.
        - `task_queue`: which workers run it, "default" by default.
        - `id_conflict`: what to do when a workflow with this id is running.
          "fail" raises WorkflowAlreadyStartedError, "use_existing" gives the
          handle of that one, "terminate_existing" ends it first.
        - `request_id`: starting twice with one request id starts once.
        - `execution_timeout`: seconds or a timedelta until it is ended as
          TIMED_OUT; by default without limit.
        - `start_delay`: seconds or a timedelta until its code begins.

        Raises PayloadError and LimitExceededError for arguments that cannot be
        sent, EngineUnavailableError when no engine answers.
        """
        return await self._start(workflow, args, result_type, options, wait_ms=0)

    @overload
    async def execute_workflow(
        self,
        workflow: Callable[[WorkflowContext, *Arguments], Awaitable[R]],
        /,
        *args: *Arguments,
        **options: Unpack[StartOptions],
    ) -> R: ...
    @overload
    async def execute_workflow(
        self,
        workflow: str,
        /,
        *args: Any,
        result_type: type[R],
        **options: Unpack[StartOptions],
    ) -> R: ...
    @overload
    async def execute_workflow(
        self,
        workflow: str,
        /,
        *args: Any,
        result_type: Any = None,
        **options: Unpack[StartOptions],
    ) -> Any: ...
    async def execute_workflow(  # type: ignore[misc]  # mypy: *args: Any does not take a TypeVarTuple
        self,
        workflow: Any,
        /,
        *args: Any,
        result_type: Any = None,
        **options: Unpack[StartOptions],
    ) -> Any:
        """Start a workflow and wait for its result, in one round trip.

        Takes what `start_workflow` takes; raises also what
        `WorkflowHandle.result` raises.
        """
        handle = await self._start(workflow, args, result_type, options, wait_ms=LONGEST_WAIT_MS)
        return await handle.result()

    async def _start(
        self,
        workflow: Any,
        args: tuple[Any, ...],
        result_type: Any,
        options: StartOptions,
        *,
        wait_ms: int,
    ) -> WorkflowHandle[Any]:
        request, result_type = start_request(workflow, args, result_type, options)
        request.request_id = request.request_id or self._request_ids.next()
        request.identity = self._identity
        request.wait_ms = wait_ms
        tracing = spans()
        if tracing is None:
            response = await self._send_start(request)
        else:
            with tracing.start_workflow_span(request) as span:
                response = await self._send_start(request)
                span.set_attribute("sched.workflow_id", response.workflow_id)
                span.set_attribute("sched.run_id", response.run_id)
        outcome = response.outcome if response.HasField("outcome") else None
        if outcome is not None and not status_from_proto(outcome.status).closed:
            outcome = None
        return WorkflowHandle(
            self._connection,
            self._request_ids,
            self._identity,
            id=response.workflow_id,
            run_id=response.run_id,
            result_type=result_type,
            outcome=outcome,
        )

    async def _send_start(self, request: StartWorkflowRequest) -> StartWorkflowResponse:
        reply = await self._connection.call(
            Call(start_workflow=request),
            waits=request.wait_ms > 0,
            workflow_id=request.workflow_id,
        )
        return reply.start_workflow

    # -- what is there -------------------------------------------------------------

    @overload
    def workflow(
        self, id: str, *, run_id: str | None = None, result_type: type[R]
    ) -> WorkflowHandle[R]: ...
    @overload
    def workflow(
        self, id: str, *, run_id: str | None = None, result_type: Any = None
    ) -> WorkflowHandle[Any]: ...
    def workflow(
        self,
        id: str,  # noqa: A002 - the name in the public API
        *,
        run_id: str | None = None,
        result_type: Any = None,
    ) -> WorkflowHandle[Any]:
        """A handle for an existing workflow; asks nothing of the engine.

        Without `run_id` it stands for the newest run. `result_type` says how
        to read the result; by default as plain JSON values.
        """
        return WorkflowHandle(
            self._connection,
            self._request_ids,
            self._identity,
            id=id,
            run_id=run_id or "",
            result_type=Any if result_type is None else result_type,
        )

    def activity(self, task_token: bytes) -> ActivityTaskHandle:
        """A handle for an activity that called `complete_elsewhere()`;
        `task_token` is what its `activity_context().task_token` was."""
        return ActivityTaskHandle(self._connection, task_token)

    async def list_workflows(
        self,
        *,
        status: WorkflowStatus | str | Iterable[WorkflowStatus | str] | None = None,
        workflow_type: str | None = None,
        task_queue: str | None = None,
        id_prefix: str | None = None,
        build_id: str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        limit: int | None = None,
        with_last_event: bool = False,
        with_details: bool = False,
    ) -> AsyncIterator[WorkflowInfo]:
        """Runs, newest first, read page by page; what is None does not restrict.

        `build_id` is that of the worker that completed the run's last workflow task.
        `started_after` is inclusive, `started_before` is not; naive datetimes are
        local time. `limit` is how many at most. `with_last_event` also
        reads what happened last in each run, `with_details` what each says it is doing.
        """
        restriction = workflow_filter(
            status=status,
            workflow_type=workflow_type,
            task_queue=task_queue,
            id_prefix=id_prefix,
            build_id=build_id,
            started_after=started_after,
            started_before=started_before,
        )
        page_token = b""
        left = limit
        while left is None or left > 0:
            request = ListWorkflowsRequest(
                filter=restriction,
                page_size=_LIST_PAGE if left is None else min(left, _LIST_PAGE),
                page_token=page_token,
                with_last_event=with_last_event,
                with_details=with_details,
            )
            reply = await self._connection.call(Call(list_workflows=request))
            page = reply.list_workflows
            for info in page.workflows[:left]:
                yield info_from_proto(info)
            if left is not None:
                left -= len(page.workflows)
            page_token = page.next_page_token
            if not page_token:
                return

    async def count_workflows(
        self,
        *,
        status: WorkflowStatus | str | Iterable[WorkflowStatus | str] | None = None,
        workflow_type: str | None = None,
        task_queue: str | None = None,
        id_prefix: str | None = None,
        build_id: str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
    ) -> WorkflowCount:
        """How many runs there are, in all and by status; takes the filters of
        `list_workflows`."""
        restriction = workflow_filter(
            status=status,
            workflow_type=workflow_type,
            task_queue=task_queue,
            id_prefix=id_prefix,
            build_id=build_id,
            started_after=started_after,
            started_before=started_before,
        )
        request = CountWorkflowsRequest(filter=restriction)
        reply = await self._connection.call(Call(count_workflows=request))
        return count_from_proto(reply.count_workflows)

    async def cluster_status(self) -> ClusterStatus:
        """What the engine that leads says of itself and of the cluster: store, queue,
        standbys, workers, task queues."""
        response = await unary_call(
            self._connection,
            "/sched.v1.ClusterService/GetStatus",
            cluster_service_pb2.GetStatusRequest(),
            cluster_service_pb2.GetStatusResponse,
        )
        return cluster_status_from_proto(response, self._connection.current_address)

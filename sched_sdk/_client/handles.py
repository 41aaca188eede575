"""Handles: one workflow, or one activity that is completed from outside."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, TypeVarTuple, overload

from sched_sdk import _payloads
from sched_sdk._client.conversions import description_from_proto, status_from_proto
from sched_sdk._client.models import WorkflowStatus
from sched_sdk._client.requests import encode_arguments, query_target
from sched_sdk._client.side_calls import follow_history, read_history, unary_call
from sched_sdk._client.transport import check_payload
from sched_sdk._failures import exception_from_failure, failure_from_exception
from sched_sdk.api.v1 import worker_service_pb2
from sched_sdk.api.v1.workflow_service_pb2 import (
    Call,
    CancelWorkflowRequest,
    DescribeWorkflowRequest,
    GetWorkflowResultRequest,
    QueryWorkflowRequest,
    ResetWorkflowRequest,
    SignalWorkflowRequest,
    TerminateWorkflowRequest,
)
from sched_sdk.errors import CanceledFailureError, InvalidArgumentError, WorkflowFailedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from sched_sdk._client.connection import EngineConnection
    from sched_sdk._client.models import Event, WorkflowDescription
    from sched_sdk._client.requests import RequestIds
    from sched_sdk.api.v1.workflow_service_pb2 import WorkflowOutcome

__all__ = ["LONGEST_WAIT_MS", "ActivityTaskHandle", "WorkflowHandle"]

R = TypeVar("R")
Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")

LONGEST_WAIT_MS = 60_000
"""A waiting call is renewed after this long."""

_POINTS = {
    "first": ResetWorkflowRequest.POINT_FIRST_WORKFLOW_TASK,
    "last": ResetWorkflowRequest.POINT_LAST_WORKFLOW_TASK,
}

_WORKER_SERVICE = "/sched.v1.WorkerService/"


class WorkflowHandle(Generic[R]):
    """One workflow, as the client sees it. Every method may raise
    EngineUnavailableError, and WorkflowNotFoundError where there is none."""

    def __init__(
        self,
        connection: EngineConnection,
        request_ids: RequestIds,
        identity: str,
        *,
        id: str,  # noqa: A002 - the name in the public API
        run_id: str,
        result_type: Any,
        outcome: WorkflowOutcome | None = None,
    ) -> None:
        self._connection = connection
        self._request_ids = request_ids
        self._identity = identity
        self._id = id
        self._run_id = run_id
        self._result_type = result_type
        self._outcome = outcome

    def __repr__(self) -> str:
        run = f", run_id={self._run_id!r}" if self._run_id else ""
        return f"WorkflowHandle(id={self._id!r}{run})"

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._id

    @property
    def run_id(self) -> str:
        """The run this handle stands for; empty for whichever is the newest."""
        return self._run_id

    async def result(self, timeout: float | None = None) -> R:
        """Wait until the workflow has ended and return what it returned. When the
        run is reset meanwhile, the run that goes on instead is waited for.

        `timeout` is in seconds; None waits without limit. Raises TimeoutError
        when it passes, WorkflowFailedError when the workflow ended otherwise
        than by returning (`__cause__` says why), PayloadError when the result
        does not fit the expected type.
        """
        if self._outcome is None:
            if timeout is None:
                self._outcome = await self._wait_for_outcome()
            else:
                async with asyncio.timeout(timeout):
                    self._outcome = await self._wait_for_outcome()
        return self._open_outcome(self._outcome)

    async def _wait_for_outcome(self) -> WorkflowOutcome:
        run_id = self._run_id
        while True:
            request = GetWorkflowResultRequest(
                workflow_id=self._id, run_id=run_id, wait_ms=LONGEST_WAIT_MS
            )
            reply = await self._connection.call(Call(get_workflow_result=request), waits=True)
            outcome = reply.get_workflow_result.outcome
            if outcome.new_run_id:
                run_id = outcome.new_run_id  # it was reset
            elif status_from_proto(outcome.status).closed:
                return outcome

    def _open_outcome(self, outcome: WorkflowOutcome) -> R:
        status = status_from_proto(outcome.status)
        if status is WorkflowStatus.COMPLETED:
            result: R = _payloads.decode(outcome.result, self._result_type)
            return result
        cause = exception_from_failure(outcome.failure) if outcome.HasField("failure") else None
        why = f": {cause}" if cause is not None else ""
        raise WorkflowFailedError(
            f"workflow {self._id} {status}{why}",
            status=status.value,
            workflow_id=self._id,
            run_id=outcome.run_id or self._run_id,
        ) from cause

    def cluster_time(self) -> datetime:
        """The same as `Client.cluster_time`."""
        return self._connection.cluster_time()

    async def signal(self, name: str, *args: Any, request_id: str | None = None) -> None:
        """Send a signal; it is durable when this returns.

        A signal with a `request_id` that the workflow has had already is
        ignored. Raises WorkflowClosedError when the workflow has ended,
        LimitExceededError for arguments that are too large.
        """
        request = SignalWorkflowRequest(
            workflow_id=self._id,
            run_id=self._run_id,
            name=name,
            input=encode_arguments(args, f"signal {name}"),
            request_id=request_id or self._request_ids.next(),
            identity=self._identity,
        )
        await self._connection.call(Call(signal_workflow=request))

    @overload
    async def query(
        self,
        query: Callable[[*Arguments], Answer],
        /,
        *args: *Arguments,
        timeout: float | None = None,
    ) -> Answer: ...
    @overload
    async def query(
        self, query: str, /, *args: Any, result_type: type[Answer], timeout: float | None = None
    ) -> Answer: ...
    @overload
    async def query(self, query: str, /, *args: Any, timeout: float | None = None) -> Any: ...
    async def query(  # type: ignore[misc]  # mypy does not see that *Any takes *Arguments
        self,
        query: Any,
        /,
        *args: Any,
        result_type: Any = None,
        timeout: float | None = None,
    ) -> Any:
        """Ask the workflow's code something (see `ctx.query`), whether it runs
        or has ended. The answer knows of everything that was durable before the
        call, such as your own signals.

        `query` is its name, or a function with the name and the annotations of
        the handler; `result_type` says how to read the answer to a name.
        `__stack`, `__details` and `__queries` are built in. `timeout` is in
        seconds; the engine itself gives up after about 30.

        Raises QueryNotFoundError, QueryFailedError when the handler raised or
        tried to change something, NoWorkerError when no worker can answer,
        PayloadError when the answer does not fit, TimeoutError.
        """
        name, payloads, answer_type = query_target(query, args, result_type)
        request = QueryWorkflowRequest(
            workflow_id=self._id, run_id=self._run_id, name=name, input=payloads
        )
        async with asyncio.timeout(timeout):
            reply = await self._connection.call(Call(query_workflow=request), waits=True)
        return _payloads.decode(reply.query_workflow.result, answer_type)

    async def cancel(self, reason: str = "", *, request_id: str | None = None) -> None:
        """Ask the workflow to stop: its code gets asyncio.CancelledError and
        may clean up. Returns when the request is durable, not when it is over."""
        request = CancelWorkflowRequest(
            workflow_id=self._id,
            run_id=self._run_id,
            reason=reason,
            request_id=request_id or self._request_ids.next(),
            identity=self._identity,
        )
        await self._connection.call(Call(cancel_workflow=request))

    async def terminate(self, reason: str = "", *, request_id: str | None = None) -> None:
        """End the workflow at once; its code is not asked."""
        request = TerminateWorkflowRequest(
            workflow_id=self._id,
            run_id=self._run_id,
            reason=reason,
            request_id=request_id or self._request_ids.next(),
            identity=self._identity,
        )
        await self._connection.call(Call(terminate_workflow=request))

    async def reset(
        self,
        to: int | Literal["first", "last"],
        *,
        keep_signals: bool = True,
        reason: str = "",
        request_id: str | None = None,
    ) -> WorkflowHandle[R]:
        """End the run, and begin a new one with its history up to an earlier point.
        Returns the new run's handle; of a run that has ended only the second is done.

        `to` is the last event to keep, rounded down to where the code had nothing
        more to do; or "first" or "last": just before the code ran for the first or
        the last time. Activities that were pending there are scheduled anew, timers
        keep their due times. Signals that came later are carried over, each once,
        unless `keep_signals` is False. Raises InvalidArgumentError for an event that
        is not there, WorkflowAlreadyStartedError when a later run is open.
        """
        return await self._copy(
            self._copy_request(to, keep_signals=keep_signals, reason=reason, request_id=request_id)
        )

    async def fork(
        self,
        to: int | Literal["first", "last"],
        *,
        id: str | None = None,  # noqa: A002 - the name the reader expects
        keep_signals: bool = True,
        reason: str = "",
        request_id: str | None = None,
    ) -> WorkflowHandle[R]:
        """Begin a workflow with the history of this one up to an earlier point, and
        leave this one alone. `id` is the new workflow's; by default the engine makes
        one. The rest is as for `reset`. Raises WorkflowAlreadyStartedError when the
        id is in use."""
        request = self._copy_request(
            to, keep_signals=keep_signals, reason=reason, request_id=request_id
        )
        request.fork = True
        request.new_workflow_id = id or ""
        return await self._copy(request)

    def _copy_request(
        self, to: int | str, *, keep_signals: bool, reason: str, request_id: str | None
    ) -> ResetWorkflowRequest:
        request = ResetWorkflowRequest(
            workflow_id=self._id,
            run_id=self._run_id,
            drop_signals=not keep_signals,
            reason=reason,
            request_id=request_id or self._request_ids.next(),
            identity=self._identity,
        )
        if isinstance(to, int):
            request.event_id = to
        elif to in _POINTS:
            request.point = _POINTS[to]
        else:
            raise InvalidArgumentError(
                f"to is {to!r}; give the id of the last event to keep, 'first' or 'last'"
            )
        return request

    async def _copy(self, request: ResetWorkflowRequest) -> WorkflowHandle[R]:
        reply = await self._connection.call(
            Call(reset_workflow=request), workflow_id=request.new_workflow_id or self._id
        )
        return WorkflowHandle(
            self._connection,
            self._request_ids,
            self._identity,
            id=reply.reset_workflow.workflow_id,
            run_id=reply.reset_workflow.run_id,
            result_type=self._result_type,
        )

    async def describe(self) -> WorkflowDescription:
        """What the workflow is doing: status, what it waits for, why it is stuck."""
        request = DescribeWorkflowRequest(workflow_id=self._id, run_id=self._run_id)
        reply = await self._connection.call(Call(describe_workflow=request))
        return description_from_proto(reply.describe_workflow)

    async def history(self, after: int = 0, *, follow: bool = False) -> AsyncIterator[Event]:
        """The run's events with an id above `after`, in order.

        With `follow`, also those to come, as they are committed, until the run
        ends; a broken connection is taken up again behind the last event.
        """
        read = follow_history if follow else read_history
        async for event in read(self._connection, self._id, self._run_id, after):
            yield event


class ActivityTaskHandle:
    """One activity attempt, named by its task token, that is completed outside
    the worker that started it. Methods raise ActivityNotFoundError when the
    attempt is over: completed, timed out, or its workflow ended."""

    def __init__(self, connection: EngineConnection, task_token: bytes) -> None:
        if not isinstance(task_token, bytes) or not task_token:
            raise InvalidArgumentError(
                "a task token is the bytes that activity_context().task_token gives, "
                f"got {task_token!r}"
            )
        self._connection = connection
        self._task_token = task_token

    async def complete(self, result: Any = None) -> None:
        """The activity returned `result`."""
        payload = _payloads.encode(result)
        check_payload(payload, "the activity's result")
        await self._report(worker_service_pb2.CompleteActivityRequest(result=payload))

    async def fail(self, error: BaseException) -> None:
        """The attempt failed; it is tried again by the activity's retry policy."""
        failure = failure_from_exception(error)
        await self._report(worker_service_pb2.CompleteActivityRequest(failure=failure))

    async def report_canceled(self, message: str = "canceled") -> None:
        """The activity stopped because it was asked to."""
        failure = failure_from_exception(CanceledFailureError(message))
        await self._report(worker_service_pb2.CompleteActivityRequest(canceled=failure))

    async def heartbeat(self, details: Any = None) -> bool:
        """Say that the activity is alive. True when it was asked to stop."""
        request = worker_service_pb2.HeartbeatActivityRequest(task_token=self._task_token)
        if details is not None:
            request.details.CopyFrom(_payloads.encode(details))
            check_payload(request.details, "the heartbeat's details")
        response = await unary_call(
            self._connection,
            _WORKER_SERVICE + "HeartbeatActivity",
            request,
            worker_service_pb2.HeartbeatActivityResponse,
        )
        return response.cancel_requested

    async def _report(self, request: worker_service_pb2.CompleteActivityRequest) -> None:
        request.task_token = self._task_token
        await unary_call(
            self._connection,
            _WORKER_SERVICE + "CompleteActivity",
            request,
            worker_service_pb2.CompleteActivityResponse,
        )

"""The client for code without an event loop: Flask, Django, scripts.

Written by scripts/generate_sync_client.py from the async client; change that,
then run the script again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, TypeVarTuple, Unpack, overload

from sched_sdk._client.client import Client
from sched_sdk._client.loop_thread import LoopThread
from sched_sdk._client.requests import StartOptions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator
    from datetime import datetime
    from types import TracebackType
    from typing import Self

    from sched_sdk._access import TLS
    from sched_sdk._client.handles import ActivityTaskHandle, WorkflowHandle
    from sched_sdk._client.models import (
        ClusterStatus,
        Event,
        WorkflowCount,
        WorkflowDescription,
        WorkflowInfo,
        WorkflowStatus,
    )
    from sched_sdk._context import WorkflowContext

__all__ = ["SyncActivityTaskHandle", "SyncClient", "SyncWorkflowHandle"]

R = TypeVar("R")
Answer = TypeVar("Answer")
Arguments = TypeVarTuple("Arguments")


class SyncClient:
    """`Client` for code without an event loop: the same methods, which wait.

        with SyncClient.connect("localhost:50051") as client:
            print(client.execute_workflow(monthly_report, "2026-11"))

    May be used from several threads. Connect after forking, not before: the
    connection lives in a thread of its own.
    """

    def __init__(self, thread: LoopThread, client: Client) -> None:
        """Use `SyncClient.connect`."""
        self._thread = thread
        self._async = client

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @classmethod
    def connect(
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
        thread = LoopThread()
        try:
            client = thread.run(
                Client.connect(
                    address,
                    identity=identity,
                    timeout=timeout,
                    retry_timeout=retry_timeout,
                    tls=tls,
                    token=token,
                )
            )
        except BaseException:
            thread.close()
            raise
        return cls(thread, client)

    def close(self) -> None:
        """Let go of the connection. Calls under way raise EngineUnavailableError."""
        try:
            self._thread.run(self._async.close())
        finally:
            self._thread.close()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The engines that this client may talk to."""
        return self._async.addresses

    @property
    def identity(self) -> str:
        """How histories name this client."""
        return self._async.identity

    def cluster_time(self) -> datetime:
        """Now, by the clock that the engine's timers go by: the time of the machine
        with the database, and on a dev server what `sched time advance` made of it.
        A round trip's time behind at most."""
        return self._async.cluster_time()

    @overload
    def start_workflow(
        self,
        workflow: Callable[[WorkflowContext, *Arguments], Awaitable[R]],
        /,
        *args: *Arguments,
        **options: Unpack[StartOptions],
    ) -> SyncWorkflowHandle[R]: ...

    @overload
    def start_workflow(
        self, workflow: str, /, *args: Any, result_type: type[R], **options: Unpack[StartOptions]
    ) -> SyncWorkflowHandle[R]: ...

    @overload
    def start_workflow(
        self, workflow: str, /, *args: Any, result_type: Any = None, **options: Unpack[StartOptions]
    ) -> SyncWorkflowHandle[Any]: ...

    def start_workflow(  # type: ignore[misc]  # as in the async client
        self, workflow: Any, /, *args: Any, result_type: Any = None, **options: Unpack[StartOptions]
    ) -> SyncWorkflowHandle[Any]:
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
        return SyncWorkflowHandle(
            self._thread,
            self._thread.run(
                self._async.start_workflow(workflow, *args, result_type=result_type, **options)
            ),
        )

    @overload
    def execute_workflow(
        self,
        workflow: Callable[[WorkflowContext, *Arguments], Awaitable[R]],
        /,
        *args: *Arguments,
        **options: Unpack[StartOptions],
    ) -> R: ...

    @overload
    def execute_workflow(
        self, workflow: str, /, *args: Any, result_type: type[R], **options: Unpack[StartOptions]
    ) -> R: ...

    @overload
    def execute_workflow(
        self, workflow: str, /, *args: Any, result_type: Any = None, **options: Unpack[StartOptions]
    ) -> Any: ...

    def execute_workflow(  # type: ignore[misc]  # as in the async client
        self, workflow: Any, /, *args: Any, result_type: Any = None, **options: Unpack[StartOptions]
    ) -> Any:
        """Start a workflow and wait for its result, in one round trip.

        Takes what `start_workflow` takes; raises also what
        `WorkflowHandle.result` raises.
        """
        return self._thread.run(
            self._async.execute_workflow(workflow, *args, result_type=result_type, **options)
        )

    @overload
    def workflow(
        self, id: str, *, run_id: str | None = None, result_type: type[R]
    ) -> SyncWorkflowHandle[R]: ...

    @overload
    def workflow(
        self, id: str, *, run_id: str | None = None, result_type: Any = None
    ) -> SyncWorkflowHandle[Any]: ...

    def workflow(
        self,
        id: str,  # noqa: A002 - the name in the public API
        *,
        run_id: str | None = None,
        result_type: Any = None,
    ) -> SyncWorkflowHandle[Any]:
        """A handle for an existing workflow; asks nothing of the engine.

        Without `run_id` it stands for the newest run. `result_type` says how
        to read the result; by default as plain JSON values.
        """
        return SyncWorkflowHandle(
            self._thread, self._async.workflow(id, run_id=run_id, result_type=result_type)
        )

    def activity(self, task_token: bytes) -> SyncActivityTaskHandle:
        """A handle for an activity that called `complete_elsewhere()`;
        `task_token` is what its `activity_context().task_token` was."""
        return SyncActivityTaskHandle(self._thread, self._async.activity(task_token))

    def list_workflows(
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
    ) -> Iterator[WorkflowInfo]:
        """Runs, newest first, read page by page; what is None does not restrict.

        `build_id` is that of the worker that completed the run's last workflow task.
        `started_after` is inclusive, `started_before` is not; naive datetimes are
        local time. `limit` is how many at most. `with_last_event` also
        reads what happened last in each run, `with_details` what each says it is doing.
        """
        yield from self._thread.iterate(
            self._async.list_workflows(
                status=status,
                workflow_type=workflow_type,
                task_queue=task_queue,
                id_prefix=id_prefix,
                build_id=build_id,
                started_after=started_after,
                started_before=started_before,
                limit=limit,
                with_last_event=with_last_event,
                with_details=with_details,
            )
        )

    def count_workflows(
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
        return self._thread.run(
            self._async.count_workflows(
                status=status,
                workflow_type=workflow_type,
                task_queue=task_queue,
                id_prefix=id_prefix,
                build_id=build_id,
                started_after=started_after,
                started_before=started_before,
            )
        )

    def cluster_status(self) -> ClusterStatus:
        """What the engine that leads says of itself and of the cluster: store, queue,
        standbys, workers, task queues."""
        return self._thread.run(self._async.cluster_status())


class SyncWorkflowHandle(Generic[R]):
    """`WorkflowHandle` for code without an event loop."""

    def __init__(self, thread: LoopThread, handle: WorkflowHandle[R]) -> None:
        self._thread = thread
        self._async = handle

    def __repr__(self) -> str:
        return f"Sync{self._async!r}"

    @property
    def id(self) -> str:
        """The workflow id."""
        return self._async.id

    @property
    def run_id(self) -> str:
        """The run this handle stands for; empty for whichever is the newest."""
        return self._async.run_id

    def result(self, timeout: float | None = None) -> R:
        """Wait until the workflow has ended and return what it returned. When the
        run is reset meanwhile, the run that goes on instead is waited for.

        `timeout` is in seconds; None waits without limit. Raises TimeoutError
        when it passes, WorkflowFailedError when the workflow ended otherwise
        than by returning (`__cause__` says why), PayloadError when the result
        does not fit the expected type.
        """
        return self._thread.run(self._async.result(timeout))

    def cluster_time(self) -> datetime:
        """The same as `Client.cluster_time`."""
        return self._async.cluster_time()

    def signal(self, name: str, *args: Any, request_id: str | None = None) -> None:
        """Send a signal; it is durable when this returns.

        A signal with a `request_id` that the workflow has had already is
        ignored. Raises WorkflowClosedError when the workflow has ended,
        LimitExceededError for arguments that are too large.
        """
        self._thread.run(self._async.signal(name, *args, request_id=request_id))

    @overload
    def query(
        self,
        query: Callable[[*Arguments], Answer],
        /,
        *args: *Arguments,
        timeout: float | None = None,
    ) -> Answer: ...

    @overload
    def query(
        self, query: str, /, *args: Any, result_type: type[Answer], timeout: float | None = None
    ) -> Answer: ...

    @overload
    def query(self, query: str, /, *args: Any, timeout: float | None = None) -> Any: ...

    def query(  # type: ignore[misc]  # as in the async client
        self, query: Any, /, *args: Any, result_type: Any = None, timeout: float | None = None
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
        return self._thread.run(
            self._async.query(query, *args, result_type=result_type, timeout=timeout)
        )

    def cancel(self, reason: str = "", *, request_id: str | None = None) -> None:
        """Ask the workflow to stop: its code gets asyncio.CancelledError and
        may clean up. Returns when the request is durable, not when it is over."""
        self._thread.run(self._async.cancel(reason, request_id=request_id))

    def terminate(self, reason: str = "", *, request_id: str | None = None) -> None:
        """End the workflow at once; its code is not asked."""
        self._thread.run(self._async.terminate(reason, request_id=request_id))

    def reset(
        self,
        to: int | Literal["first", "last"],
        *,
        keep_signals: bool = True,
        reason: str = "",
        request_id: str | None = None,
    ) -> SyncWorkflowHandle[R]:
        """End the run, and begin a new one with its history up to an earlier point.
        Returns the new run's handle; of a run that has ended only the second is done.

        `to` is the last event to keep, rounded down to where the code had nothing
        more to do; or "first" or "last": just before the code ran for the first or
        the last time. Activities that were pending there are scheduled anew, timers
        keep their due times. Signals that came later are carried over, each once,
        unless `keep_signals` is False. Raises InvalidArgumentError for an event that
        is not there, WorkflowAlreadyStartedError when a later run is open.
        """
        return SyncWorkflowHandle(
            self._thread,
            self._thread.run(
                self._async.reset(
                    to, keep_signals=keep_signals, reason=reason, request_id=request_id
                )
            ),
        )

    def fork(
        self,
        to: int | Literal["first", "last"],
        *,
        id: str | None = None,  # noqa: A002 - the name in the public API
        keep_signals: bool = True,
        reason: str = "",
        request_id: str | None = None,
    ) -> SyncWorkflowHandle[R]:
        """Begin a workflow with the history of this one up to an earlier point, and
        leave this one alone. `id` is the new workflow's; by default the engine makes
        one. The rest is as for `reset`. Raises WorkflowAlreadyStartedError when the
        id is in use."""
        return SyncWorkflowHandle(
            self._thread,
            self._thread.run(
                self._async.fork(
                    to, id=id, keep_signals=keep_signals, reason=reason, request_id=request_id
                )
            ),
        )

    def describe(self) -> WorkflowDescription:
        """What the workflow is doing: status, what it waits for, why it is stuck."""
        return self._thread.run(self._async.describe())

    def history(self, after: int = 0, *, follow: bool = False) -> Iterator[Event]:
        """The run's events with an id above `after`, in order.

        With `follow`, also those to come, as they are committed, until the run
        ends; a broken connection is taken up again behind the last event.
        """
        yield from self._thread.iterate(self._async.history(after, follow=follow))


class SyncActivityTaskHandle:
    """`ActivityTaskHandle` for code without an event loop."""

    def __init__(self, thread: LoopThread, handle: ActivityTaskHandle) -> None:
        self._thread = thread
        self._async = handle

    def complete(self, result: Any = None) -> None:
        """The activity returned `result`."""
        self._thread.run(self._async.complete(result))

    def fail(self, error: BaseException) -> None:
        """The attempt failed; it is tried again by the activity's retry policy."""
        self._thread.run(self._async.fail(error))

    def report_canceled(self, message: str = "canceled") -> None:
        """The activity stopped because it was asked to."""
        self._thread.run(self._async.report_canceled(message))

    def heartbeat(self, details: Any = None) -> bool:
        """Say that the activity is alive. True when it was asked to stop."""
        return self._thread.run(self._async.heartbeat(details))

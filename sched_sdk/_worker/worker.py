"""The worker: runs workflows and activities that the engine hands out."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import sched_sdk
from sched_sdk._access import access_to
from sched_sdk._client import Client
from sched_sdk._client.addresses import parse_addresses
from sched_sdk._client.machine import Machine
from sched_sdk._client.transport import default_identity
from sched_sdk._definitions import check_name
from sched_sdk._policy import as_timedelta
from sched_sdk._replay.guard import install as install_guard
from sched_sdk._worker.registry import Registry
from sched_sdk._worker.session import WorkerSession
from sched_sdk._worker.tally import Load, Tally
from sched_sdk.api.v1 import worker_service_pb2
from sched_sdk.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Self

    from prometheus_client import CollectorRegistry

    from sched_sdk._access import TLS
    from sched_sdk._worker.metrics import WorkerMetrics

__all__ = ["Worker"]

# After the graceful time, what is handed back gets this long to be written.
_LAST_WORDS_S = 2.0


class Worker:
    """Runs workflows and activities of one task queue.

        worker = Worker(client, workflows=[monthly_report], activities=[send_email])
        await worker.run()

    or, to do something beside it, `async with worker: ...`.

    `client` is a Client or an address as `Client.connect` takes it; None reads
    the environment. The worker has a stream of its own, rides out restarts of
    the engine, and starts before one is there.

    - `max_concurrent_activities`, `max_concurrent_workflow_tasks`: how many
      tasks of each kind it has at a time.
    - `max_cached_workflows`: how many runs stay in memory between their tasks;
      others are replayed from history when something happens to them.
    - `graceful_shutdown`: how long `stop` lets running activities finish
      (seconds or a timedelta); what is not finished goes to other workers.
    - `tls` (None: plain text) and `token` go with an address, as for
      `Client.connect`; with a Client the worker connects as that does.
    - `identity` names the worker in histories ("pid@host"), `build_id` its
      code (a hash of the source files).
    - `on_ready` is called when the engine has welcomed the worker for the
      first time.
    - `metrics` is a registry of prometheus_client, in which the worker's metrics
      are until it has stopped; each worker of a process needs its own.
    - `guard`: refuse workflow code what gives another answer in replay, such as
      clocks, files and threads. False is for libraries that cannot do without.
    - `check_determinism` runs workflow code a second time after each task, over
      its history, and compares: "warn" logs where it did something else, "error"
      fails the task, False is for production. See docs/guide/determinism.md.

    Raises DefinitionError for what is declared wrongly: functions that are not
    decorated, two of one name, nothing to serve, limits below 1.
    """

    def __init__(
        self,
        client: Client | str | None = None,
        *,
        task_queue: str = "default",
        workflows: Iterable[Callable[..., Any]] = (),
        activities: Iterable[Callable[..., Any]] = (),
        max_concurrent_activities: int = 100,
        max_concurrent_workflow_tasks: int = 200,
        max_cached_workflows: int = 1000,
        graceful_shutdown: timedelta | float = timedelta(seconds=8),
        identity: str | None = None,
        build_id: str | None = None,
        on_ready: Callable[[], None] | None = None,
        metrics: CollectorRegistry | None = None,
        guard: bool = True,
        check_determinism: Literal["warn", "error", False] = False,
        tls: TLS | None = None,
        token: str | None = None,
    ) -> None:
        limits = {
            "max_concurrent_activities": max_concurrent_activities,
            "max_concurrent_workflow_tasks": max_concurrent_workflow_tasks,
            "max_cached_workflows": max_cached_workflows,
        }
        for name, value in limits.items():
            if value < 1:
                raise DefinitionError(f"{name} is {value}; it must be at least 1")
        if check_determinism not in ("warn", "error", False):
            raise DefinitionError(
                f'check_determinism is {check_determinism!r}; it is "warn", "error" or False'
            )
        self._check_determinism = check_determinism or None
        self._guard = guard
        self._registry = Registry(workflows, activities)
        if isinstance(client, Client):
            if tls is not None or token is not None:
                raise DefinitionError(
                    "tls and token go with an address; this worker connects as its client does"
                )
            self._addresses, self._machine = client.addresses, client._machine
        else:
            self._addresses = parse_addresses(client)
            self._machine = Machine(access=access_to(client, tls, token))
        self._graceful_s = as_timedelta(graceful_shutdown, "graceful_shutdown").total_seconds()
        self._max_cached = max_cached_workflows
        self._on_ready = on_ready
        self._hello = worker_service_pb2.WorkerHello(
            session_id=f"{self._machine.random.getrandbits(128):032x}",
            identity=default_identity() if identity is None else identity,
            build_id=self._registry.build_id() if build_id is None else build_id,
            sdk=f"python/{sched_sdk.__version__}",
            task_queue=check_name(task_queue, "task queue"),
            workflow_types=self._registry.workflows,
            activity_names=self._registry.activities,
            workflow_task_slots=max_concurrent_workflow_tasks,
            activity_slots=max_concurrent_activities,
        )
        self._session: WorkerSession | None = None
        self._runner: asyncio.Task[None] | None = None
        self._tally = Tally()
        self._metrics = None if metrics is None else self._publish(metrics)

    @property
    def identity(self) -> str:
        """How histories name this worker."""
        return self._hello.identity

    @property
    def build_id(self) -> str:
        """How histories name its code."""
        return self._hello.build_id

    @property
    def task_queue(self) -> str:
        return self._hello.task_queue

    @property
    def connected(self) -> bool:
        """Whether it has a stream to an engine right now."""
        return self._session is not None and self._session.connected

    @property
    def draining(self) -> bool:
        """Whether it takes no more tasks, because it was told to drain or to stop."""
        return self._session is not None and self._session.draining

    async def run(self) -> None:
        """Work until `stop` is called. Cancelling this stops at once: what is
        not finished goes to other workers.

        Raises InvalidArgumentError when the engine refuses the worker, and
        AuthenticationError when the two do not accept each other.
        """
        await self._start()
        runner = self._runner
        assert runner is not None
        try:
            await asyncio.shield(runner)
        except asyncio.CancelledError:
            await self._stop_within(0)
            raise

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def ready(self) -> None:
        """Wait until the engine has welcomed the worker for the first time."""
        await self._start()
        session, runner = self._session, self._runner
        assert session is not None
        assert runner is not None
        welcome = asyncio.ensure_future(session.welcomed.wait())
        try:
            await asyncio.wait([welcome, runner], return_when=asyncio.FIRST_COMPLETED)
            if runner.done():
                runner.result()
        finally:
            welcome.cancel()

    async def drain(self) -> None:
        """Take no more tasks, and wait until those in hand are finished."""
        if self._session is not None:
            await self._session.drain(None)

    async def keep_runs(self, run_ids: Iterable[str], *, only: bool = False) -> None:
        """Have the tasks of these runs, and with `only` no others.

        While this worker is connected and does not drain, the engine gives nobody
        else the tasks of these runs that it serves; then they go to anybody. So
        runs that newer code would break can go on with the code that began them.
        Replaces what was kept before. Returns when the engine has acknowledged it.
        """
        await self._start()
        assert self._session is not None
        await self._session.keep(run_ids, only=only)

    async def stop(self) -> None:
        """Take no more tasks, give those in hand up to `graceful_shutdown` to
        finish, hand the rest back, and disconnect. At once when idle."""
        await self._stop_within(self._graceful_s)

    async def _start(self) -> None:
        if self._runner is None:
            if self._guard:
                install_guard(entry.fn for entry in self._registry.workflows.values())
            self._session = WorkerSession(
                self._registry,
                self._hello,
                self._addresses,
                tally=self._tally,
                max_cached=self._max_cached,
                on_ready=self._on_ready,
                machine=self._machine,
                guard=self._guard,
                check_determinism=self._check_determinism,
            )
            self._runner = asyncio.create_task(self._session.run(), name="sched-worker")
            metrics = self._metrics
            if metrics is not None:
                self._runner.add_done_callback(lambda _: metrics.close())

    async def _stop_within(self, graceful_s: float) -> None:
        session, runner = self._session, self._runner
        if session is None or runner is None:
            return
        if not runner.done():
            draining = asyncio.ensure_future(session.drain(graceful_s))
            await asyncio.wait([draining, runner], return_when=asyncio.FIRST_COMPLETED)
            draining.cancel()
            await session.close()
            if session.connected:
                await asyncio.wait([runner], timeout=_LAST_WORDS_S)
            runner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await runner

    def _publish(self, registry: CollectorRegistry) -> WorkerMetrics:
        from sched_sdk._worker.metrics import WorkerMetrics

        return WorkerMetrics(
            registry,
            self._tally,
            lambda: Load() if self._session is None else self._session.load,
            workflow_task_slots=self._hello.workflow_task_slots,
            activity_slots=self._hello.activity_slots,
        )

"""One engine as a process serves it: store, queue, engine and gRPC server."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sched_sdk.api.v1 import (
    cluster_service_pb2,
    cluster_service_pb2_grpc,
    worker_service_pb2,
    worker_service_pb2_grpc,
    workflow_service_pb2,
    workflow_service_pb2_grpc,
)
from sched_server.backend import backend_of
from sched_server.errors import EngineStartError
from sched_server.host import EngineHost
from sched_server.observability import otlp_endpoint
from sched_server.observability.engine_endpoint import EngineEndpoint
from sched_server.rpc.cluster_service import ClusterService
from sched_server.rpc.decoding import ReadableOnly
from sched_server.rpc.security import server_credentials, tokens_of
from sched_server.rpc.token_gate import TokenGate
from sched_server.rpc.worker_service import WorkerService
from sched_server.rpc.workflow_service import WorkflowService
from sched_server.settings import EngineSettings
from sched_server.store.port import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from sched_server.backend import Backend
    from sched_server.engine import Engine
    from sched_server.host import Standing
    from sched_server.observability.tracing import Tracing
    from sched_server.store.port import Store

logger = logging.getLogger("sched.engine")

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (workflow_service_pb2, "WorkflowService"),
        (worker_service_pb2, "WorkerService"),
        (cluster_service_pb2, "ClusterService"),
    )
)


class EngineServer:
    """An engine with its port.

    `start` raises EngineStartError when it cannot; `wait` returns when the
    engine stopped serving for good.
    """

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()
        self.address = ""
        """Where it serves: "host:port"."""
        self._led = asyncio.Event()
        self._stopped = asyncio.Event()
        self._serves = False
        self._stopping: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        """Kept, since the loop itself holds its tasks only weakly."""
        self._server: grpc.aio.Server | None = None
        self._store: Store | None = None
        self.host: EngineHost
        self._workflow_service: WorkflowService
        self._worker_service: WorkerService
        self._health: Any
        self._observed = EngineEndpoint(self.settings)
        self._tracing: Tracing | None = None

    @property
    def metrics_url(self) -> str:
        """Where its metrics are; empty when the settings name no port for them."""
        return self._observed.url

    @property
    def metrics_port(self) -> int:
        """The port of `metrics_url`; 0 if there is none."""
        return self._observed.port

    @property
    def engine(self) -> Engine:
        """The engine of the current term; raises Unavailable while it stands by."""
        return self.host.leading()

    def on_standing(self, listener: Callable[[Standing], None]) -> None:
        """Once it was started: call `listener` now, and whenever the engine comes to
        lead, to stand by, or to know of another leader, in the event loop."""
        self.host.on_standing(listener)

    async def start(self) -> None:
        """Serve. An engine that can have no rival leads when this returns;
        others campaign in the background."""
        # The store's writer thread must get its turn while the loop is busy; with
        # Python's default of 5 ms it waits for most of its life.
        sys.setswitchinterval(0.0005)
        try:
            await self._start()
        except BaseException as error:
            await self._let_go()
            if isinstance(error, StoreError):
                raise EngineStartError(str(error)) from error
            raise

    async def _start(self) -> None:
        backend, server = await self._open()
        self._server = server
        advertised = self.settings.advertise or self.address
        self.host = EngineHost(
            self.settings, backend, advertised, self._on_change, tracing=self._tracing
        )
        self._add_services(server)
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        terms = self.host.start()
        terms.add_done_callback(lambda _: self._terms_ended())
        if backend.solo:
            await self._lead_first(terms)
        await server.start()
        self._serves = True
        self._observed.serving(self.host)

    async def _let_go(self) -> None:
        """Of what a start took that failed."""
        if self._server is not None:
            await self.stop(0)
        else:
            await self._close_outside()

    async def _close_outside(self) -> None:
        if self._store is not None:
            await self._store.close()
        if self._tracing is not None:
            await self._tracing.close()
        await self._observed.close()

    async def _open(self) -> tuple[Backend, grpc.aio.Server]:
        """Everything that can be in somebody else's hands. Raises StoreError and
        EngineStartError."""
        credentials = server_credentials(self.settings)
        tokens = tokens_of(self.settings)
        # The port first: two engines on one port is the commonest mistake. But it is
        # taken last: whoever connects would wait until there is something to serve.
        self._probe()
        await self._observed.open()
        self._tracing = _tracing_to(self.settings.otlp_endpoint)
        backend = backend_of(self.settings)
        self._store = backend.store
        await backend.store.open()
        gate = [TokenGate(tokens)] if tokens else []
        server = grpc.aio.server(interceptors=gate, options=self._options())
        self.address = _join(self.settings.host, self._bind(server, credentials))
        return backend, server

    async def _lead_first(self, terms: asyncio.Task[None]) -> None:
        """Answer nobody before the first term has begun."""
        leading = asyncio.ensure_future(self._led.wait())
        await asyncio.wait({terms, leading}, return_when=asyncio.FIRST_COMPLETED)
        leading.cancel()
        if not self._led.is_set():
            reason = self.host.failed
            raise EngineStartError(str(reason)) from reason

    async def wait(self) -> None:
        """Until the engine was stopped, or can lead no more."""
        await self._stopped.wait()

    async def stop(self, grace_s: float = 1.0) -> None:
        """Stop taking work, let calls under way finish within the grace, commit what
        was promised, let go of the store.

        A later call can shorten the grace, and returns when all that is done.
        """
        server = self._server
        if server is None:
            return
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop(server, grace_s))
        else:
            await server.stop(grace_s)
        await asyncio.shield(self._stopping)

    async def _stop(self, server: grpc.aio.Server, grace_s: float) -> None:
        self._observed.stopping()
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._close_streams()
        if not self._serves:
            await server.start()  # gRPC gives no port back that it did not serve on
        await server.stop(grace_s)
        await self.host.stop()
        await self._close_outside()
        self._stopped.set()

    def _on_change(self, engine: Engine | None) -> None:
        """A term begins or ends."""
        if self._stopping is not None:
            return
        serving = health_pb2.HealthCheckResponse.SERVING
        if engine is None:
            serving = health_pb2.HealthCheckResponse.NOT_SERVING
            self._close_streams()
        else:
            self._led.set()
        self._spawn(self._say(serving))

    def _terms_ended(self) -> None:
        """It can lead no more, and nobody else is here who could."""
        self._spawn(self.stop(0))

    def _close_streams(self) -> None:
        self._workflow_service.close_streams()
        self._worker_service.close_streams()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _probe(self) -> None:
        try:
            _probe(self.settings.host, self.settings.port)
        except OSError as error:
            raise self._port_taken() from error

    def _bind(self, server: grpc.aio.Server, credentials: grpc.ServerCredentials | None) -> int:
        where = _join(self.settings.host, self.settings.port)
        try:
            if credentials is None:
                return server.add_insecure_port(where)
            return server.add_secure_port(where, credentials)
        except RuntimeError as error:
            raise self._port_taken() from error

    def _port_taken(self) -> EngineStartError:
        return EngineStartError(
            f"{_join(self.settings.host, self.settings.port)} cannot be used: another program "
            "(perhaps another engine) listens there, or the host is not of this machine. Choose "
            "another port with --port"
        )

    def _options(self) -> list[tuple[str, int]]:
        limit = self.settings.api_limits.message_bytes
        return [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 2_000),
            ("grpc.http2.max_pings_without_data", 0),
        ]

    def _add_services(self, server: grpc.aio.Server) -> None:
        self._workflow_service = WorkflowService(self.host)
        self._worker_service = WorkerService(self.host)
        cluster_service = ClusterService(self.host)
        ours: Any = ReadableOnly(server, self.host.measures)
        workflow_service_pb2_grpc.add_WorkflowServiceServicer_to_server(
            self._workflow_service, ours
        )
        worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(self._worker_service, ours)
        cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server(cluster_service, ours)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # not in the stubs
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*SERVICES, "grpc.health.v1.Health", reflection.SERVICE_NAME), server
        )

    async def _say(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in ("", *SERVICES):
            await self._health.set(name, status)


def _tracing_to(endpoint: str) -> Tracing | None:
    if not endpoint:
        return None
    try:
        otlp_endpoint.check(endpoint)
    except otlp_endpoint.TracingError as error:
        raise EngineStartError(str(error)) from error
    from sched_server.observability.tracing import Tracing

    return Tracing(endpoint)


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _probe(host: str, port: int) -> None:
    """Raises OSError if the port cannot be listened on: gRPC would say so on
    stderr, in its own words, before it says it to us."""
    if not port:
        return
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)

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
from sched_server.engine import Engine
from sched_server.errors import EngineStartError
from sched_server.queue.memory import MemoryTaskQueue
from sched_server.rpc.cluster_service import ClusterService
from sched_server.rpc.worker_service import WorkerService
from sched_server.rpc.workflow_service import WorkflowService
from sched_server.settings import EngineSettings
from sched_server.store.port import StoreError
from sched_server.store.sqlite import SqliteStore

if TYPE_CHECKING:
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
    engine stopped serving.
    """

    def __init__(self, settings: EngineSettings | None = None) -> None:
        self.settings = settings or EngineSettings()
        self.address = ""
        """Where it serves: "host:port"."""
        self._stopped = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None
        """Kept, since the loop itself holds its tasks only weakly."""
        self._server: grpc.aio.Server | None = None
        self._store: Store | None = None
        self.engine: Engine
        self._workflow_service: WorkflowService
        self._worker_service: WorkerService
        self._health: Any

    async def start(self) -> None:
        # The store's writer thread must get its turn while the loop is busy; with
        # Python's default of 5 ms it waits for most of its life.
        sys.setswitchinterval(0.0005)
        store = SqliteStore(self.settings.db)
        # The port first: two engines on one port is the commonest mistake.
        server = grpc.aio.server(options=self._options())
        port = self._bind(server)
        self.address = _join(self.settings.host, port)
        try:
            await store.open()
            self.engine = Engine(self.settings, store, MemoryTaskQueue(), self._on_fenced)
            await self.engine.open(self.address)
        except StoreError as error:
            await server.stop(0)
            await store.close()
            raise EngineStartError(str(error)) from error
        self._store, self._server = store, server
        self._add_services(server)
        await server.start()
        await self._say(health_pb2.HealthCheckResponse.SERVING)

    async def wait(self) -> None:
        """Until the engine was stopped, or lost its leadership."""
        await self._stopped.wait()

    async def stop(self, grace_s: float = 1.0) -> None:
        """Stop taking work, commit what was promised, let go of the store."""
        server, self._server = self._server, None
        if server is None:
            return
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._workflow_service.close_streams()
        self._worker_service.close_streams()
        await server.stop(grace_s)
        await self.engine.close()
        assert self._store is not None
        await self._store.close()
        self._stopped.set()

    def _bind(self, server: grpc.aio.Server) -> int:
        host, port = self.settings.host, self.settings.port
        try:
            _probe(host, port)
            return server.add_insecure_port(_join(host, port))
        except (OSError, RuntimeError) as error:
            raise EngineStartError(
                f"{_join(host, port)} cannot be used: another program (perhaps another engine) "
                "listens there, or the host is not of this machine. Choose another port with "
                "--port"
            ) from error

    def _options(self) -> list[tuple[str, int]]:
        limit = self.settings.api_limits.message_bytes
        return [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            ("grpc.keepalive_time_ms", 10_000),
            ("grpc.keepalive_timeout_ms", 5_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ("grpc.http2.max_pings_without_data", 0),
        ]

    def _add_services(self, server: grpc.aio.Server) -> None:
        self._workflow_service = WorkflowService(self.engine)
        self._worker_service = WorkerService(self.engine)
        cluster_service = ClusterService(self.engine, self.engine.group.clock.now_us())
        workflow_service_pb2_grpc.add_WorkflowServiceServicer_to_server(
            self._workflow_service, server
        )
        worker_service_pb2_grpc.add_WorkerServiceServicer_to_server(self._worker_service, server)
        cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server(cluster_service, server)
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]  # not in the stubs
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*SERVICES, "grpc.health.v1.Health", reflection.SERVICE_NAME), server
        )

    async def _say(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in ("", *SERVICES):
            await self._health.set(name, status)

    def _on_fenced(self) -> None:
        """Another engine leads: this one must not answer any more."""
        self._stopping = asyncio.get_running_loop().create_task(self.stop(0))


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

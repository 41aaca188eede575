"""The processes of a world: engines, workers and clients, as they really are.

Each is the product's own code on a simulated machine. A node lives on when its
process dies: it is started again, as a supervisor would.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from sched_sdk import Client, Worker
from sched_sdk._client.connection import EngineConnection
from sched_sdk._client.machine import Machine as ClientMachine
from sched_sdk.api.v1 import (
    cluster_service_pb2_grpc,
    worker_service_pb2_grpc,
    workflow_service_pb2_grpc,
)
from sched_server.host import EngineHost
from sched_server.machine import Machine
from sched_server.rpc.cluster_service import ClusterService
from sched_server.rpc.worker_service import WorkerService
from sched_server.rpc.workflow_service import WorkflowService
from sched_server.settings import EngineSettings
from tests.sim.client_script import run_job
from tests.sim.leadership import SimLeadership
from tests.sim.loop import Process
from tests.sim.queue import SimQueue
from tests.sim.rpc import SimChannel, SimServer
from tests.sim.store import SimStore
from tests.sim.workflows import ACTIVITIES, workflows_of

if TYPE_CHECKING:
    from sched_server.engine import Engine
    from sched_server.leadership.port import Leadership
    from sched_server.queue.port import TaskQueue
    from tests.sim.plan import Job
    from tests.sim.world import World

_TASK_TIMEOUT_S = 3.0
_GRACE_S = 1.5


class Node:
    """A place where one process runs at a time."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.process: Process
        self._chance = random.Random(f"{world.plan.seed}/{name}")
        self._lives = 0
        self._running: asyncio.Task[Any] | None = None

    def start(self) -> None:
        """Begin a process, unless one runs."""
        if self._lives and self.process.alive:
            return
        world = self.world
        self._lives += 1
        self._forget()
        drift = self._chance.uniform(-1, 1) * world.plan.drift
        self.process = process = Process(world.loop, self.name, drift=drift)
        process.on_death = self._died
        world.processes.append(process)
        world.trace.add(self.name, f"starts (life {self._lives})")
        self._running = process.start(self._run(process))
        self._running.add_done_callback(self._ended)

    def _forget(self) -> None:
        """Let go of what the life before has left: it is not this one's."""

    async def _run(self, process: Process) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        """Let the process end in good order."""
        raise NotImplementedError

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.world.wrong("process", f"{self.name} ended with {error!r}")

    def _died(self) -> None:
        self.world.trace.add(self.name, "is dead")
        self.world.died(self.process)


class EngineNode(Node):
    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.address = f"{name}:50051"
        self.host: EngineHost | None = None

    def _forget(self) -> None:
        self.host = None

    async def _run(self, process: Process) -> None:
        world, plan = self.world, self.world.plan
        settings = EngineSettings(
            cached_executions=plan.cached_executions,
            batch_executions=plan.batch,
            workflow_task_timeout_s=_TASK_TIMEOUT_S,
            activity_grace_s=_GRACE_S,
        )
        machine = Machine(
            monotonic=process.monotonic,
            lease_clock=process.monotonic,
            wall_us=world.database.clock_us,
            chance=random.Random(f"{plan.seed}/{self.name}/{self._lives}"),
        )
        backend = _Backend(world, process)
        self.host = host = EngineHost(
            settings, backend, self.address, self._on_change, machine=machine
        )
        server = SimServer(process, self.address, self._observe)
        self._workflow_service = WorkflowService(host)
        self._worker_service = WorkerService(host)
        add: Any = workflow_service_pb2_grpc.add_WorkflowServiceServicer_to_server
        add(self._workflow_service, server)
        add = worker_service_pb2_grpc.add_WorkerServiceServicer_to_server
        add(self._worker_service, server)
        add = cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server
        add(ClusterService(host), server)
        world.addresses.servers[self.address] = server
        await host.start()
        if host.failed is not None:
            raise host.failed

    def _on_change(self, engine: Engine | None) -> None:
        if engine is None:
            self.world.trace.add(self.name, "leads no more")
            self._close_streams()
        else:
            self.world.trace.add(self.name, f"leads, epoch {engine.group.epoch}")

    def _close_streams(self) -> None:
        self._workflow_service.close_streams()
        self._worker_service.close_streams()

    def _observe(self, client: Process, path: str, message: Any, *, sent: bool) -> None:
        self.world.observe(self, client, path, message, sent=sent)

    async def stop(self) -> None:
        host = self.host
        if host is None:
            return
        self._close_streams()
        await host.stop()

    @property
    def engine(self) -> Engine | None:
        return self.host.engine if self.host is not None and self.process.alive else None


class _Backend:
    """The outside of an engine process."""

    solo = False

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self.store = SimStore(world.database, process)

    def queue(self) -> TaskQueue:
        return SimQueue(self._world.queue, self._process)

    def leadership(self, address: str, machine: Machine) -> Leadership:
        clock = machine.lease_clock
        return SimLeadership(self._world.database, self._process, address, clock)


class _ClientSide(Node):
    """What workers and clients have in common: a connection to the engines."""

    def _connection(self, process: Process) -> EngineConnection:
        world = self.world

        def open_channel(address: str, silence_s: float) -> Any:
            return SimChannel(world.network, world.addresses, process, address)

        machine = ClientMachine(
            monotonic=process.monotonic,
            chance=random.Random(f"{world.plan.seed}/{self.name}/{self._lives}"),
            open_channel=open_channel,
            threads=False,
        )
        addresses = [engine.address for engine in world.engines]
        self._chance.shuffle(addresses)
        return EngineConnection(tuple(addresses), retry_timeout=1e9, machine=machine)


class WorkerNode(_ClientSide):
    worker: Worker | None = None
    newest = False
    """Whether it must have the newest version of the code, or may have the one before."""
    is_newest = True

    def _forget(self) -> None:
        self.worker = None

    async def _run(self, process: Process) -> None:
        plan = self.world.plan
        self.is_newest = self.newest or not plan.versions or self._chance.random() < 0.5
        newest, before = workflows_of(plan.versions)
        client = Client(self._connection(process), self.name)
        self.worker = Worker(
            client,
            workflows=newest if self.is_newest else before,
            activities=ACTIVITIES,
            max_concurrent_activities=plan.slots,
            max_concurrent_workflow_tasks=plan.slots,
            max_cached_workflows=plan.cached_workflows,
            graceful_shutdown=1.0,
            identity=f"{self.name}.{self._lives}",
            build_id="after" if self.is_newest else "before",
        )
        await self.worker.run()

    async def stop(self) -> None:
        if self.worker is not None:
            await self.worker.stop()


class ClientNode(_ClientSide):
    """Runs the scripts of its jobs; after a crash all of them again."""

    connection: EngineConnection | None = None

    @property
    def _jobs(self) -> list[Job]:
        return [job for job in self.world.plan.jobs if self.world.client_of(job) is self]

    def _forget(self) -> None:
        self.connection = None
        # What was refused in the life before may be done now: it is not over.
        self.world.done.difference_update(job.number for job in self._jobs)

    async def _run(self, process: Process) -> None:
        connection = self.connection = self._connection(process)
        await connection.open(1e9)
        client = Client(connection, f"{self.name}.{self._lives}")
        await asyncio.gather(*(run_job(self.world, client, job) for job in self._jobs))
        await client.close()

    async def stop(self) -> None:
        """A client is never asked to."""

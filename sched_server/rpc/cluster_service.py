"""ClusterService: what the engine says of itself, leader or standby."""

from __future__ import annotations

import contextlib
import platform
from typing import TYPE_CHECKING, Any

from sched_sdk.api.v1 import cluster_service_pb2 as pb
from sched_sdk.api.v1 import cluster_service_pb2_grpc as rpc
from sched_server import __version__
from sched_server.advancing import DEFAULT_PATIENCE_S, advance
from sched_server.errors import Rejection
from sched_server.rpc.errors import abort
from sched_server.store.port import WORKFLOW_TASK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sched_server.advancing import Advance
    from sched_server.census import Findings
    from sched_server.clock import Clock
    from sched_server.engine import Engine
    from sched_server.host import EngineHost
    from sched_server.observability.distribution import Distribution
    from sched_server.workers import WorkerSession

API = "v1"


class ClusterService(rpc.ClusterServiceServicer):
    def __init__(self, host: EngineHost) -> None:
        self._host = host

    async def GetVersion(  # noqa: N802 - the API's name
        self,
        request: pb.GetVersionRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> pb.GetVersionResponse:
        return pb.GetVersionResponse(version=__version__, api=API, python=platform.python_version())

    async def GetStatus(  # noqa: N802
        self,
        request: pb.GetStatusRequest,  # noqa: ARG002
        context: Any,
    ) -> pb.GetStatusResponse:
        try:
            return await self._status()
        except Exception as error:
            await abort(context, error, self._host.measures)

    async def AdvanceTime(  # noqa: N802
        self,
        request: pb.AdvanceTimeRequest,
        context: Any,
    ) -> AsyncIterator[pb.AdvanceTimeResponse]:
        try:
            engine = self._host.leading()
            if not engine.settings.movable_clock:
                raise Rejection(
                    "INVALID_ARGUMENT",
                    "the clock of this engine cannot be moved; only a dev server's can (sched dev)",
                )
            patience_s = request.patience_us / 1_000_000 or DEFAULT_PATIENCE_S
            moves = advance(engine.group, request.advance_us, patience_s=patience_s)
            async with contextlib.aclosing(moves):
                async for progress in moves:
                    yield _progress(progress)
        except Exception as error:
            await abort(context, error, self._host.measures)

    async def _status(self) -> pb.GetStatusResponse:
        host = self._host
        findings, store = await host.census.take()
        standing = host.standing
        leader = findings.leader
        response = pb.GetStatusResponse(
            role=int(standing.role),  # type: ignore[arg-type]  # an int on the wire
            version=__version__,
            store=host.backend.store.description,
            started_time_us=host.started_us,
            open_workflows=findings.open_runs,
            epoch=standing.epoch,
            leader_address=standing.leader,
            store_status=pb.StoreStatus(
                connected=store.connected, last_error=store.last_error, warnings=store.warnings
            ),
            clock=pb.ClockStatus(machine_time_us=host.wall_us()),
        )
        if leader is not None and leader.alive:
            response.leader_address, response.epoch = leader.address, leader.epoch
        for candidate in findings.candidates:
            response.standbys.add(address=candidate.address, since_time_us=candidate.since_us)
        if host.engine is not None:
            _describe_leader(host.engine, findings, response)
        return response


def _progress(progress: Advance) -> pb.AdvanceTimeResponse:
    return pb.AdvanceTimeResponse(
        advanced_us=progress.advanced_us,
        timers_fired=progress.timers_fired,
        workflows_touched=progress.workflows_touched,
        workflow_ids=progress.workflow_ids,
        cluster_time_us=progress.now_us,
        done=progress.done,
        stopped_by=progress.stopped_by,
    )


def _describe_leader(engine: Engine, findings: Findings, response: pb.GetStatusResponse) -> None:
    sessions = list(engine.workers.sessions.values())
    queues: dict[str, pb.TaskQueueStatus] = {}
    for session in sessions:
        name = session.hello.task_queue
        queues.setdefault(name, pb.TaskQueueStatus(name=name)).workers += 1
    for key, count in findings.ready_tasks:
        queue = queues.setdefault(key.task_queue, pb.TaskQueueStatus(name=key.task_queue))
        if key.kind == WORKFLOW_TASK:
            queue.pending_workflow_tasks += count
        else:
            queue.pending_activity_tasks += count
    response.clock.cluster_time_us = engine.group.clock.now_us()
    response.clock.advanced_us = engine.group.clock.advanced_us
    response.workers.extend(_worker(session, engine.group.clock) for session in sessions)
    response.task_queues.extend(queues[name] for name in sorted(queues))
    response.commit_latency.CopyFrom(_latency(engine.measures.commit_seconds))
    response.dispatch_latency.CopyFrom(_latency(engine.measures.dispatch_seconds))
    status = engine.group.dispatcher.queue_status()
    response.queue.CopyFrom(
        pb.QueueStatus(
            description=status.description,
            connected=status.connected,
            last_error=status.last_error,
            warnings=status.warnings,
        )
    )


def _latency(seconds: Distribution) -> pb.LatencyTotal:
    return pb.LatencyTotal(count=seconds.count, total_us=int(seconds.total * 1_000_000))


def _worker(session: WorkerSession, clock: Clock) -> pb.WorkerStatus:
    hello = session.hello
    return pb.WorkerStatus(
        identity=hello.identity,
        build_id=hello.build_id,
        sdk=hello.sdk,
        task_queue=hello.task_queue,
        workflow_types=hello.workflow_types,
        activity_names=hello.activity_names,
        workflow_task_slots=hello.workflow_task_slots,
        workflow_tasks_running=len(session.held),
        activity_slots=hello.activity_slots,
        activities_running=len(session.activities),
        draining=not session.open_to_all,
        connected_time_us=clock.time_of(session.connected_s),
        last_heard_time_us=clock.time_of(session.heard_s),
    )

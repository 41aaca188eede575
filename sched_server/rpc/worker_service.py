"""WorkerService: the workers' streams, and activities completed elsewhere."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_sdk.api.v1 import worker_service_pb2_grpc as rpc
from sched_server import __version__, edge
from sched_server.activity_reports import read_report
from sched_server.codec import payload_from_proto
from sched_server.core.inputs import HeartbeatActivity
from sched_server.errors import Rejection, Unavailable
from sched_server.rpc.decoding import unreadable_frame
from sched_server.rpc.errors import abort
from sched_server.tasks import PAGE_BYTES, PAGE_EVENTS
from sched_server.worker_link import WorkerLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sched_server.engine import Engine
    from sched_server.host import EngineHost
    from sched_server.settings import ApiLimits
    from sched_server.workers import WorkerSession

    Context = Any

logger = logging.getLogger("sched.engine")

# Names a worker may serve of each kind, and slots it may offer.
_MAX_NAMES = 10_000
_MAX_SLOTS = 100_000


class WorkerService(rpc.WorkerServiceServicer):
    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._sessions: dict[WorkerSession, None] = {}

    def close_streams(self) -> None:
        """The engine stops: that is no sign against the workers' tasks."""
        for session in list(self._sessions):
            session.draining = True
            session.outbox.close()

    async def Connect(  # noqa: N802 - the API's name
        self, request_iterator: AsyncIterator[pb.WorkerFrame], context: Context
    ) -> AsyncIterator[pb.EngineFrame]:
        try:
            first = await anext(aiter(request_iterator), None)
            if first is None:
                return
            engine = self._host.leading()
            _check_hello(engine.settings.api_limits, first.hello)
        except DecodeError:
            await abort(context, unreadable_frame("the first frame"), self._host.measures)
        except Exception as error:
            await abort(context, error, self._host.measures)
        session = engine.sessions.join(first.hello)
        logger.info("worker %s connected", session.identity)
        link = WorkerLink(
            engine.group, session, engine.lookup.by_run_id, engine.settings.api_limits
        )
        self._sessions[session] = None
        reader: asyncio.Future[Rejection | None] | None = None
        try:
            session.outbox.frame.welcome.CopyFrom(_welcome(engine))
            link.receive(first)
            await link.settled()
            engine.sessions.start(session)
            reader = asyncio.ensure_future(_read(request_iterator, link, session))
            while frames := await session.outbox.take():
                engine.measures.dispatch_seconds.observe(session.outbox.waited_s)
                for frame in frames:
                    yield frame
            refused = reader.result() if reader.done() else None
            if refused is not None:
                await abort(context, refused, self._host.measures)
        finally:
            self._sessions.pop(session, None)
            if reader is not None:
                reader.cancel()
            # Before anything is awaited: a call that is cancelled a second time
            # would leave a worker behind that is not there.
            if engine.workers.sessions.get(session.session_id) is session:
                engine.sessions.leave(session)
            logger.info("worker %s disconnected", session.identity)
            if reader is not None:
                await asyncio.gather(reader, return_exceptions=True)

    async def CompleteActivity(  # noqa: N802
        self, request: pb.CompleteActivityRequest, context: Context
    ) -> pb.CompleteActivityResponse:
        try:
            engine = self._host.leading()
            if request.WhichOneof("outcome") is None:
                raise edge.invalid("the outcome is missing; give a result or a failure")
            claim = _read_token(request.task_token)
            report = read_report(engine.settings.api_limits, request, claim.seq, claim.dispatch)
            await engine.report_activity(claim.run_id, report)
        except Exception as error:
            await abort(context, error, self._host.measures)
        return pb.CompleteActivityResponse()

    async def HeartbeatActivity(  # noqa: N802
        self, request: pb.HeartbeatActivityRequest, context: Context
    ) -> pb.HeartbeatActivityResponse:
        try:
            engine = self._host.leading()
            claim = _read_token(request.task_token)
            details = None
            if request.HasField("details"):
                edge.check_payloads(engine.settings.api_limits, "the details", [request.details])
                details = payload_from_proto(request.details)
            heartbeat = HeartbeatActivity(seq=claim.seq, dispatch=claim.dispatch, details=details)
            cancel = await engine.report_activity(claim.run_id, heartbeat)
        except Exception as error:
            await abort(context, error, self._host.measures)
        return pb.HeartbeatActivityResponse(cancel_requested=cancel)

    async def GetTaskHistory(  # noqa: N802
        self, request: pb.GetTaskHistoryRequest, context: Context
    ) -> AsyncIterator[pb.TaskHistoryPage]:
        try:
            engine = self._host.leading()
            row = await engine.store.find_run_by_id(request.run_id)
            if row is None:
                raise edge.invalid(f"no run {request.run_id!r}")
            after = request.after_event_id
            while after < request.last_event_id:
                rows = await engine.store.read_history(
                    row.run_key,
                    after_event_id=after,
                    limit=min(PAGE_EVENTS, request.last_event_id - after),
                    max_bytes=PAGE_BYTES,
                )
                if not rows:
                    return
                after = rows[-1].event_id
                yield pb.TaskHistoryPage(events=[event.data for event in rows])
        except Exception as error:
            await abort(context, error, self._host.measures)


def _welcome(engine: Engine) -> pb.EngineWelcome:
    return pb.EngineWelcome(
        epoch=engine.group.epoch,
        engine_version=__version__,
        workflow_task_timeout_us=int(engine.settings.workflow_task_timeout_s * 1_000_000),
    )


async def _read(
    frames: AsyncIterator[pb.WorkerFrame], link: WorkerLink, session: WorkerSession
) -> Rejection | None:
    """Until the worker ends its stream. Returns why the engine ended it, if it did."""
    try:
        async for frame in frames:
            link.receive(frame)
    except grpc.RpcError:
        pass
    except DecodeError:
        return unreadable_frame("a frame of this worker")
    except Unavailable as error:
        # The term is over. Nothing was acknowledged, so it is said to the next leader.
        logger.debug("a frame of worker %s came too late: %s", session.identity, error)
    except Exception:
        logger.exception("a frame of worker %s could not be handled", session.identity)
    finally:
        session.outbox.close()
    return None


def _check_hello(limits: ApiLimits, hello: pb.WorkerHello) -> None:
    edge.check_name(limits, "the session id", hello.session_id)
    edge.check_name(limits, "the task queue", hello.task_queue)
    edge.check_text(limits, "the identity", hello.identity)
    edge.check_name(limits, "the build id", hello.build_id, required=False)
    for what, names in (
        ("workflow type", hello.workflow_types),
        ("activity name", hello.activity_names),
    ):
        if len(names) > _MAX_NAMES:
            raise edge.invalid(f"{len(names):,} {what}s, the limit is {_MAX_NAMES:,}")
        for name in names:
            edge.check_name(limits, f"the {what}", name)
    for what, slots in (
        ("workflow_task_slots", hello.workflow_task_slots),
        ("activity_slots", hello.activity_slots),
    ):
        if slots > _MAX_SLOTS:
            raise edge.invalid(f"{what} is {slots:,}, the limit is {_MAX_SLOTS:,}")


def _read_token(token: bytes) -> pb.ActivityClaim:
    try:
        claim = pb.ActivityClaim.FromString(token)
    except DecodeError:
        claim = pb.ActivityClaim()
    if not claim.run_id or not claim.dispatch:
        raise edge.invalid(
            "the task token is not one that sched made; take it from "
            "activity_context().task_token as it is"
        )
    return claim

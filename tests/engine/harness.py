"""The engine in process, a scripted worker, and a store that can fail.

Nothing here is a mock: the engine, its store and its queue are the real ones.
`LocalWorker` speaks the worker's protocol without a socket, `GrpcWorker` with
one; both leave every answer to the test.
"""

from __future__ import annotations

import asyncio
import itertools
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_sdk.api.v1 import workflow_service_pb2 as client_pb
from sched_sdk.api.v1.worker_service_pb2_grpc import WorkerServiceStub
from sched_server.engine import Engine
from sched_server.queue.memory import MemoryTaskQueue
from sched_server.rpc.calls import CALLS
from sched_server.settings import MEMORY, EngineSettings
from sched_server.store.port import StoreUnavailableError
from sched_server.store.sqlite import SqliteStore
from sched_server.worker_link import WorkerLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    import grpc

    from sched_server.queue.port import TaskQueue
    from sched_server.store.port import CommitBatch

T = TypeVar("T")

PATIENCE_S = 10.0
RESULT = common_pb2.Payload(encoding="json", data=b'"done"')
BOOM = common_pb2.Failure(
    kind=common_pb2.FAILURE_KIND_APPLICATION, type="ValueError", message="boom"
)


async def within(awaitable: Awaitable[T], seconds: float = PATIENCE_S) -> T:
    """The result, or a failed test instead of a hanging one."""
    async with asyncio.timeout(seconds):
        return await awaitable


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - any condition, of any object
            await asyncio.sleep(0.001)


# ---------------------------------------------------------------- the store


class FaultyStore(SqliteStore):
    """The real store, with commits that fail or wait when told to."""

    def __init__(self, path: str | Path = MEMORY) -> None:
        super().__init__(path)
        self.faults: list[Callable[[CommitBatch], list[bool] | None]] = []
        """Each next commit meets the first of these: it may raise, or return
        what the commit is to answer without writing."""
        self.reads_fail = 0
        self.gate: asyncio.Event | None = None
        """While set and not open, commits wait."""
        self.waiting = 0
        self.commits = 0

    async def commit(self, batch: CommitBatch) -> list[bool]:
        if self.gate is not None:
            self.waiting += 1
            await self.gate.wait()
            self.waiting -= 1
        if self.faults:
            answer = self.faults.pop(0)(batch)
            if answer is not None:
                return answer
        self.commits += 1
        return await super().commit(batch)

    async def read_history(self, *args: Any, **named: Any) -> Any:
        if self.reads_fail:
            self.reads_fail -= 1
            raise StoreUnavailableError("the disk is slow today")
        return await super().read_history(*args, **named)


def unavailable(_: CommitBatch) -> None:
    raise StoreUnavailableError("the disk is slow today")


# ---------------------------------------------------------------- the engine


class Engines:
    """Engines over one database, one after the other."""

    def __init__(self, db: str | Path = MEMORY, **settings: Any) -> None:
        self.db = db
        given: dict[str, Any] = {"db": db, "port": 0, "activity_grace_s": 5.0}
        self.settings = EngineSettings(**given | settings)

    @asynccontextmanager
    async def running(
        self, queue: TaskQueue | None = None, on_fenced: Callable[[], None] = lambda: None
    ) -> AsyncIterator[LocalEngine]:
        store = FaultyStore(self.db)
        await store.open()
        engine = Engine(self.settings, store, queue or MemoryTaskQueue(), on_fenced)
        await engine.open("test:0")
        local = LocalEngine(engine, store)
        try:
            yield local
        finally:
            if local.alive:
                await engine.close()
                await store.close()


@asynccontextmanager
async def running(
    db: str | Path = MEMORY,
    queue: TaskQueue | None = None,
    on_fenced: Callable[[], None] = lambda: None,
    **settings: Any,
) -> AsyncIterator[LocalEngine]:
    async with Engines(db, **settings).running(queue, on_fenced) as local:
        yield local


class LocalEngine:
    """An engine in this process, and its calls."""

    def __init__(self, engine: Engine, store: FaultyStore) -> None:
        self.engine = engine
        self.group = engine.group
        self.store = store
        self.alive = True

    async def call(self, name: str, request: Any) -> Any:
        return await within(CALLS[name](self.engine, request))

    async def start(self, workflow_id: str = "wf", **fields: Any) -> Any:
        given: dict[str, Any] = {"workflow_id": workflow_id, "workflow_type": "Order"}
        return await self.call("start_workflow", client_pb.StartWorkflowRequest(**given | fields))

    async def signal(self, workflow_id: str = "wf", name: str = "go", **fields: Any) -> Any:
        request = client_pb.SignalWorkflowRequest(workflow_id=workflow_id, name=name, **fields)
        return await self.call("signal_workflow", request)

    async def query(self, workflow_id: str = "wf", name: str = "state", run_id: str = "") -> Any:
        request = client_pb.QueryWorkflowRequest(workflow_id=workflow_id, run_id=run_id, name=name)
        return (await self.call("query_workflow", request)).result

    async def describe(self, workflow_id: str = "wf", run_id: str = "") -> Any:
        request = client_pb.DescribeWorkflowRequest(workflow_id=workflow_id, run_id=run_id)
        return await self.call("describe_workflow", request)

    async def result(self, workflow_id: str = "wf", wait_ms: int = 5_000, run_id: str = "") -> Any:
        request = client_pb.GetWorkflowResultRequest(
            workflow_id=workflow_id, run_id=run_id, wait_ms=wait_ms
        )
        return (await self.call("get_workflow_result", request)).outcome

    async def terminate(self, workflow_id: str = "wf", **fields: Any) -> Any:
        request = client_pb.TerminateWorkflowRequest(workflow_id=workflow_id, **fields)
        return await self.call("terminate_workflow", request)

    async def cancel(self, workflow_id: str = "wf", **fields: Any) -> Any:
        request = client_pb.CancelWorkflowRequest(workflow_id=workflow_id, **fields)
        return await self.call("cancel_workflow", request)

    async def history(self, workflow_id: str = "wf", run_id: str = "") -> list[str]:
        """The types of the stored events, in short."""
        row = await self.engine.row(workflow_id, run_id)
        rows = await self.store.read_history(
            row.run_key, after_event_id=0, limit=100_000, max_bytes=1 << 30
        )
        assert [r.event_id for r in rows] == list(range(1, row.last_event_id + 1))
        return [_type_name(r.type) for r in rows]

    def worker(self, session_id: str = "", **hello: Any) -> LocalWorker:
        """Connect a worker."""
        return LocalWorker(self, session_id, **hello)

    def pass_time(self, seconds: float) -> None:
        """By the cluster's clock, which timers and timeouts follow."""
        self.group.clock.advance(int(seconds * 1_000_000))
        self.group.timers.clock_moved()

    async def quiet(self) -> None:
        """Everything that was under way has had its turn."""
        for _ in range(5):
            await within(self.group._committer.drain())
            await self.store.read_run(0)
            for _ in range(5):
                await asyncio.sleep(0)

    async def quiet_reads(self) -> None:
        """Whoever waits for a read has had his turn, whatever commits wait."""
        for _ in range(10):
            await self.store.read_run(0)
            await asyncio.sleep(0)

    async def kill(self) -> None:
        """The engine is gone without a word: what is not committed is lost."""
        self.alive = False
        for task in list(self.group._tasks):
            task.cancel()
        await asyncio.gather(*self.group._tasks, return_exceptions=True)
        await self.store.close()


def _type_name(number: int) -> str:
    name = history_pb2.EventType.Name(number).removeprefix("EVENT_TYPE_")  # type: ignore[arg-type]
    return "".join(part.capitalize() for part in name.split("_"))


def event_names(events: Any) -> list[str]:
    return [_type_name(history_pb2.HistoryEvent.FromString(data).type) for data in events]


# ---------------------------------------------------------------- workers


_segment_ids = itertools.count(1)


class ScriptedWorker:
    """Collects what the engine pushes; answers what the test says."""

    def __init__(self, session_id: str = "", **hello: Any) -> None:
        given: dict[str, Any] = {
            "session_id": session_id or f"session-{uuid.uuid4().hex[:8]}",
            "identity": session_id or "worker",
            "task_queue": "default",
            "workflow_types": ["Order"],
            "activity_names": ["send"],
            "workflow_task_slots": 10,
            "activity_slots": 10,
        }
        self.hello = pb.WorkerHello(**given | hello)
        self.tasks: asyncio.Queue[pb.WorkflowTask] = asyncio.Queue()
        self.activities: asyncio.Queue[pb.ActivityTask] = asyncio.Queue()
        self.acks: asyncio.Queue[pb.SegmentAck] = asyncio.Queue()
        self.failure_acks: asyncio.Queue[int] = asyncio.Queue()
        self.activity_acks: asyncio.Queue[int] = asyncio.Queue()
        self.cancels: asyncio.Queue[int] = asyncio.Queue()
        self.lost: asyncio.Queue[int] = asyncio.Queue()
        self.kept_acks: asyncio.Queue[int] = asyncio.Queue()
        self.queries: asyncio.Queue[pb.QueryTask] = asyncio.Queue()
        self.welcome: asyncio.Queue[pb.EngineWelcome] = asyncio.Queue()
        self.ended = asyncio.Event()

    def send(self, frame: pb.WorkerFrame) -> None:
        raise NotImplementedError

    def received(self, frame: pb.EngineFrame) -> None:
        if frame.HasField("welcome"):
            self.welcome.put_nowait(frame.welcome)
        for queue, items in (
            (self.tasks, frame.workflow_tasks),
            (self.activities, frame.activity_tasks),
            (self.acks, frame.segment_acks),
            (self.failure_acks, frame.task_failure_acks),
            (self.activity_acks, frame.activity_acks),
            (self.cancels, [cancel.dispatch for cancel in frame.cancel_activities]),
            (self.lost, frame.lost_activities),
            (self.kept_acks, [frame.runs_kept] if frame.runs_kept else []),
            (self.queries, frame.queries),
        ):
            for item in items:
                queue.put_nowait(item)  # type: ignore[arg-type]

    # ------------------------------------------------------------ workflow tasks

    async def task(self) -> pb.WorkflowTask:
        return await within(self.tasks.get())

    def segment(
        self, task: pb.WorkflowTask, *commands: pb.Command, **changes: Any
    ) -> pb.WorkflowSegment:
        given: dict[str, Any] = {
            "run_id": task.run_id,
            "dispatch": task.dispatch,
            "base": task.base,
            "seen": task.last_event_id,
            "segment_id": next(_segment_ids),
            "commands": commands,
        }
        return pb.WorkflowSegment(**given | changes)

    async def answer(
        self, task: pb.WorkflowTask, *commands: pb.Command, **changes: Any
    ) -> pb.SegmentAck:
        """Send a segment and wait for its acknowledgement."""
        return await self.answer_with(self.segment(task, *commands, **changes))

    async def answer_with(self, segment: pb.WorkflowSegment) -> pb.SegmentAck:
        self.send(pb.WorkerFrame(segments=[segment]))
        return await within(self.acks.get())

    async def close(self, task: pb.WorkflowTask) -> pb.SegmentAck:
        return await self.answer(task, complete())

    # ------------------------------------------------------------ queries

    async def query(self) -> pb.QueryTask:
        return await within(self.queries.get())

    def tell(self, query: pb.QueryTask, **outcome: Any) -> None:
        """Answer a query: with `result`, `failure`, `not_cached` …"""
        answer = pb.QueryAnswer(query_id=query.query_id, **outcome)
        self.send(pb.WorkerFrame(query_answers=[answer]))

    # ------------------------------------------------------------ activities

    async def activity(self) -> pb.ActivityTask:
        return await within(self.activities.get())

    def report(self, task: pb.ActivityTask, **outcome: Any) -> None:
        self.send(pb.WorkerFrame(activity_reports=[activity_report(task, **outcome)]))

    async def finish(self, task: pb.ActivityTask) -> None:
        self.report(task, result=RESULT)
        assert await within(self.activity_acks.get()) == task.dispatch


class LocalWorker(ScriptedWorker):
    """Without a socket: frames go straight to the engine's link."""

    def __init__(self, local: LocalEngine, session_id: str = "", **hello: Any) -> None:
        first = hello.pop("first", None) or pb.WorkerFrame()
        super().__init__(session_id, **hello)
        self._local = local
        first.hello.CopyFrom(self.hello)
        engine = local.engine
        self.session = engine.sessions.join(self.hello)
        self._link = WorkerLink(
            engine.group, self.session, engine.lookup.by_run_id, engine.settings.api_limits
        )
        self._link.receive(first)
        self.serving = asyncio.Event()
        self.started = asyncio.ensure_future(self._start())

    async def _start(self) -> None:
        await self._link.settled()
        self._local.engine.sessions.start(self.session)
        self.serving.set()
        while frames := await self.session.outbox.take():
            for frame in frames:
                self.received(frame)
        self.ended.set()

    def send(self, frame: pb.WorkerFrame) -> None:
        self._link.receive(frame)

    async def started_serving(self) -> None:
        await within(self.serving.wait())

    def disconnect(self) -> None:
        """The stream breaks."""
        self._local.engine.sessions.leave(self.session)


class GrpcWorker(ScriptedWorker):
    """Over a real stream."""

    def __init__(self, channel: grpc.aio.Channel, session_id: str = "", **hello: Any) -> None:
        first = hello.pop("first", None) or pb.WorkerFrame()
        super().__init__(session_id, **hello)
        first.hello.CopyFrom(self.hello)
        self._outgoing: asyncio.Queue[pb.WorkerFrame] = asyncio.Queue()
        self._outgoing.put_nowait(first)
        self.stream = WorkerServiceStub(channel).Connect(self._frames())
        self.reader = asyncio.ensure_future(self._read())

    async def _frames(self) -> AsyncIterator[pb.WorkerFrame]:
        while True:
            yield await self._outgoing.get()

    async def _read(self) -> None:
        try:
            async for frame in self.stream:
                self.received(frame)
        finally:
            self.ended.set()

    def send(self, frame: pb.WorkerFrame) -> None:
        self._outgoing.put_nowait(frame)

    async def disconnect(self) -> None:
        self.stream.cancel()
        await asyncio.gather(self.reader, return_exceptions=True)


# ---------------------------------------------------------------- commands


def activity_report(task: pb.ActivityTask, **outcome: Any) -> pb.ActivityReport:
    return pb.ActivityReport(run_id=task.run_id, seq=task.seq, dispatch=task.dispatch, **outcome)


def claim(task: pb.ActivityTask) -> pb.ActivityClaim:
    return pb.ActivityClaim(run_id=task.run_id, seq=task.seq, dispatch=task.dispatch)


def complete(data: bytes = b'"done"') -> pb.Command:
    result = common_pb2.Payload(encoding="json", data=data)
    return pb.Command(complete_workflow=pb.CompleteWorkflow(result=result))


def schedule(seq: int, name: str = "send", **fields: Any) -> pb.Command:
    return pb.Command(seq=seq, schedule_activity=pb.ScheduleActivity(name=name, **fields))


def sleep(seq: int, seconds: float) -> pb.Command:
    return pb.Command(seq=seq, start_timer=pb.StartTimer(duration_us=int(seconds * 1_000_000)))


def step(seq: int) -> pb.Command:
    return pb.Command(seq=seq, record_step=pb.RecordStep(name="charge", result=RESULT))


def cancel_activity(seq: int) -> pb.Command:
    return pb.Command(seq=seq, request_cancel_activity=pb.RequestCancelActivity())

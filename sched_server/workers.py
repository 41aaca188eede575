"""Worker sessions: who is connected, what they serve, and their free slots."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, TaskKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sched_server.execution import Execution
    from sched_server.queue.port import QueuedTask

# One pushed frame carries at most about this much.
FRAME_BYTES = 1024 * 1024


class Outbox:
    """What waits to be sent on one stream. The stream's writer takes all of it
    at once, so that whatever one commit yields travels in one frame."""

    __slots__ = ("_frame", "_monotonic", "_since", "_wake", "closed", "waited_s")

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._frame: pb.EngineFrame | None = None
        self._wake = asyncio.Event()
        self._since = 0.0
        self.closed = False
        self.waited_s = 0.0
        """How long the frame that was taken last had been there."""

    @property
    def frame(self) -> pb.EngineFrame:
        """The frame being gathered; using it schedules its sending."""
        frame = self._frame
        if frame is None:
            frame = self._frame = pb.EngineFrame()
            self._since = self._monotonic()
            self._wake.set()
        return frame

    async def take(self) -> list[pb.EngineFrame]:
        """What waits, as frames of bounded size; empty when closed."""
        while self._frame is None:
            if self.closed:
                return []
            self._wake.clear()
            await self._wake.wait()
        frame, self._frame = self._frame, None
        self.waited_s = self._monotonic() - self._since
        return [frame] if frame.ByteSize() <= FRAME_BYTES else _split(frame)

    def close(self) -> None:
        self.closed = True
        self._wake.set()


def _split(frame: pb.EngineFrame) -> list[pb.EngineFrame]:
    """Several frames for one that is too large. Acknowledgements stay in
    front: a task may build on them."""
    frames = [pb.EngineFrame()]
    size = 0
    if frame.HasField("welcome"):
        frames[0].welcome.CopyFrom(frame.welcome)
    for name in ("segment_acks", "workflow_tasks", "activity_tasks", "queries"):
        for message in getattr(frame, name):
            bytes_ = message.ByteSize()
            if size and size + bytes_ > FRAME_BYTES:
                frames.append(pb.EngineFrame())
                size = 0
            getattr(frames[-1], name).append(message)
            size += bytes_
    last = frames[-1]
    last.task_failure_acks.extend(frame.task_failure_acks)
    last.activity_acks.extend(frame.activity_acks)
    last.cancel_activities.extend(frame.cancel_activities)
    last.lost_activities.extend(frame.lost_activities)
    last.runs_kept = frame.runs_kept
    return frames


class WorkerSession:
    """One worker process, for the life of its stream."""

    __slots__ = (
        "activities",
        "activity_keys",
        "connected_s",
        "draining",
        "heard_s",
        "held",
        "hello",
        "kept",
        "only_kept",
        "outbox",
        "parked",
        "questions",
        "session_id",
        "workflow_keys",
    )

    def __init__(self, hello: pb.WorkerHello, monotonic: Callable[[], float]) -> None:
        self.hello = hello
        self.session_id = hello.session_id
        self.connected_s = self.heard_s = monotonic()
        """When its stream began, and when its last frame came; by the monotonic clock, which
        nobody moves."""
        self.draining = False
        self.outbox = Outbox(monotonic)
        queue = hello.task_queue
        self.workflow_keys = [TaskKey(queue, WORKFLOW_TASK, n) for n in hello.workflow_types]
        self.activity_keys = [TaskKey(queue, ACTIVITY_TASK, n) for n in hello.activity_names]
        self.held: dict[int, Execution] = {}
        """Workflow tasks by dispatch number."""
        self.activities: dict[int, tuple[int, int]] = {}
        """(run_key, seq) by dispatch number."""
        self.questions: dict[int, asyncio.Future[pb.QueryAnswer | None]] = {}
        """Queries it is to answer, by number; None: it cannot any more."""
        self.kept: frozenset[str] = frozenset()
        """The ids of runs whose tasks go to it alone."""
        self.only_kept = False
        """It takes no tasks of other runs."""
        self.parked: dict[QueuedTask, None] = {}
        """Tasks that only it may have, until it has a free slot."""

    @property
    def identity(self) -> str:
        return self.hello.identity

    @property
    def keys(self) -> list[TaskKey]:
        return self.workflow_keys + self.activity_keys

    def lose_questions(self) -> None:
        """It will not answer; whoever asked asks somebody else."""
        for answer in self.questions.values():
            if not answer.done():
                answer.set_result(None)
        self.questions.clear()

    @property
    def open_to_all(self) -> bool:
        """It takes the tasks of any run."""
        return not (self.draining or self.only_kept)

    def free_slots(self, kind: int) -> int:
        """For tasks of any run."""
        return 0 if self.only_kept else self.free_slots_for_its_own(kind)

    def free_slots_for_its_own(self, kind: int) -> int:
        """For tasks of runs that are bound to it."""
        if self.draining or self.outbox.closed:
            return 0
        if kind == WORKFLOW_TASK:
            return self.hello.workflow_task_slots - len(self.held)
        return self.hello.activity_slots - len(self.activities)


class WorkerRegistry:
    """Which sessions serve which keys."""

    def __init__(self) -> None:
        self.sessions: dict[str, WorkerSession] = {}
        self._servers: dict[TaskKey, list[WorkerSession]] = {}
        self.keepers: list[WorkerSession] = []
        """Those that keep runs."""

    def add(self, session: WorkerSession) -> None:
        self.sessions[session.session_id] = session
        for key in session.keys:
            self._servers.setdefault(key, []).append(session)

    def remove(self, session: WorkerSession) -> None:
        if self.sessions.get(session.session_id) is session:
            del self.sessions[session.session_id]
        self.keepers = [keeper for keeper in self.keepers if keeper is not session]
        for key in session.keys:
            servers = self._servers.get(key)
            if servers and session in servers:
                servers.remove(session)
                if not servers:
                    del self._servers[key]

    def keep(self, session: WorkerSession, run_ids: Iterable[str], *, only: bool) -> None:
        """What `session` keeps from now on."""
        session.kept, session.only_kept = frozenset(run_ids), only
        keeps = bool(session.kept) and self.sessions.get(session.session_id) is session
        self.keepers = [
            *(keeper for keeper in self.keepers if keeper is not session),
            *([session] if keeps else []),
        ]

    def serving(self, key: TaskKey) -> list[WorkerSession]:
        """Those that serve the key, draining or not."""
        return self._servers.get(key, [])

    def polls(self, task_queue: str) -> bool:
        """Whether anybody takes tasks of the queue, whatever their names."""
        return any(
            session.hello.task_queue == task_queue and session.open_to_all
            for session in self.sessions.values()
        )

    def serves(self, key: TaskKey) -> bool:
        return any(session.open_to_all for session in self._servers.get(key, ()))

    def pick(self, key: TaskKey, preferred: str | None) -> WorkerSession | None:
        """A session with a free slot: the preferred one, else the one with the
        most free slots."""
        servers = self._servers.get(key)
        if not servers:
            return None
        if preferred is not None:
            session = self.sessions.get(preferred)
            if session is not None and session.free_slots(key.kind) > 0 and session in servers:
                return session
        best, most = None, 0
        for session in servers:
            free = session.free_slots(key.kind)
            if free > most:
                best, most = session, free
        return best

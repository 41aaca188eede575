"""Questions to the code of runs, answered by workers.

A question changes nothing and is in no history. It is answered from committed
state: whatever was durable when it came, the code has seen before it answers.

    the run is open, and                             who is asked
    a worker holds its task                          that worker, which answers at
                                                     its next quiet moment
    the task waits, and a worker serves its type     nobody yet: the code is about to
                                                     see it; after a while as below
    its task fails again and again                   nobody: the failure is the answer
    nothing is left to see                           the worker that has it cached,
                                                     else any other, with the history
    the run is closed                                any worker, with the history

A worker that cannot answer (it is gone, drains, has let go of the instance) is
no end: whoever is next is asked. Open questions are futures on the sessions of
the workers, and nothing of them is left behind when the asker goes away.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_server import edge
from sched_server.core.decision import Rejection
from sched_server.core.values import Status
from sched_server.errors import Unavailable
from sched_server.lookup import is_open
from sched_server.query_errors import (
    QueryRejection,
    cannot_go_on,
    handler_failed,
    no_worker,
    refuse_stuck,
    unknown_query,
)
from sched_server.store.port import WORKFLOW_TASK, TaskKey
from sched_server.tasks import PAGE_BYTES, PAGE_EVENTS, first_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk.api.v1 import common_pb2
    from sched_server.execution import Execution
    from sched_server.settings import ApiLimits
    from sched_server.shard_group import ShardGroup
    from sched_server.store.port import RunRow
    from sched_server.workers import WorkerRegistry, WorkerSession

# For so long a question waits for the code to see what came before it.
CATCH_UP_S = 5.0
# A worker may be about to come (back).
WORKER_WAIT_S = 0.5
# After an engine began to lead, workers take a while to find it.
SETTLING_S = 5.0
# After so long without an answer something is wrong with the worker.
ANSWER_S = 30.0
# Looked at again after so long, besides after every commit of the run: a task
# that is handed out and a worker that joins are no commits, and to announce
# them would be a cost for all the runs that nobody asks anything.
_LOOK_AGAIN_S = 0.05
_LEAST_PATIENCE_S = 1.0


class _Question:
    """What somebody wants to know of a run."""

    __slots__ = ("catch_up_until", "input", "must_see", "name", "not_cached", "refused", "row")

    def __init__(self, row: RunRow, name: str, input: Sequence[common_pb2.Payload]) -> None:  # noqa: A002 - the API's name
        self.row = row
        self.name = name
        self.input = input
        self.must_see = 0
        """The last event for the code that was durable when the question came."""
        self.catch_up_until = 0.0
        """Loop time after which the history is replayed for what the code has not seen."""
        self.not_cached = False
        """The worker that should have an instance has none."""
        self.refused: dict[str, common_pb2.Failure | None] = {}
        """Sessions that cannot answer, and why."""

    def is_patient(self) -> bool:
        """Whether the code may still take its time to see what it must."""
        return asyncio.get_running_loop().time() < self.catch_up_until

    @property
    def key(self) -> TaskKey:
        return TaskKey(self.row.task_queue, WORKFLOW_TASK, self.row.workflow_type)


class Queries:
    """The open questions of one term."""

    def __init__(self, group: ShardGroup, workers: WorkerRegistry, limits: ApiLimits) -> None:
        self._group = group
        self._workers = workers
        self._limits = limits
        self.open = 0
        """How many questions wait for an answer."""
        self._settling_until = 0.0

    def begin(self) -> None:
        """The term begins; the workers of the one before come back one by one."""
        self._settling_until = asyncio.get_running_loop().time() + SETTLING_S

    async def ask(
        self,
        row: RunRow,
        name: str,
        input: Sequence[common_pb2.Payload],  # noqa: A002 - the API's name
    ) -> common_pb2.Payload:
        """The answer. Raises Rejection (QUERY_NOT_FOUND, QUERY_FAILED, NO_WORKER,
        LIMIT_EXCEEDED), and Unavailable when the term ends."""
        limit = self._limits.open_queries
        if self.open >= limit:
            raise Rejection(
                "LIMIT_EXCEEDED",
                f"{limit:,} queries wait for an answer, which is the limit; ask again later",
            )
        self.open += 1
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._ask(_Question(row, name, input))
        except TimeoutError:
            raise QueryRejection(
                "QUERY_FAILED",
                f"no worker answered the query {name!r} within {ANSWER_S:g} s; the worker "
                "may be busy or blocked, see its log",
            ) from None
        finally:
            self.open -= 1

    def close(self) -> None:
        """The term ends: whoever asks, asks the next leader."""
        for session in self._workers.sessions.values():
            session.lose_questions()

    # ------------------------------------------------------------ whom to ask

    async def _ask(self, question: _Question) -> common_pb2.Payload:
        loop = asyncio.get_running_loop()
        question.catch_up_until = loop.time() + CATCH_UP_S
        execution = await self._open_run(question.row)
        if execution is not None:
            question.must_see = _last_unseen(execution)
        worker_until = max(loop.time() + WORKER_WAIT_S, self._settling_until)
        while True:
            execution = await self._open_run(question.row)
            if execution is not None:
                refuse_stuck(execution)
                session = self._session_with(execution, question)
                if session is not None:
                    payload = await self._ask_cached(session, execution, question)
                    if payload is not None:
                        return payload
                    continue
                if self._sees_soon(execution, question):
                    question.not_cached = False
                    await self._look_again(execution.run_key)
                    continue
            session = self._anyone(question)
            if session is not None:
                task = await self._whole_task(execution, question)
                answer = await self._send(session, task)
                payload = self._read(answer, session, question, full=True)
                if payload is not None:
                    return payload
                worker_until = loop.time() + WORKER_WAIT_S
            elif loop.time() > worker_until or any(question.refused.values()):
                raise self._nobody(question)
            else:
                await self._look_again(question.row.run_key)

    async def _open_run(self, row: RunRow) -> Execution | None:
        """The run with everything durable that was decided; None once it is closed."""
        if self._group.closed:
            raise Unavailable("this engine does not lead any more; try another")
        if not is_open(row):
            return None
        while True:
            execution = await self._group.load(row.run_key)
            if execution is None or execution.state.status is not Status.RUNNING:
                if execution is not None:
                    await self._group.settled(execution)
                return None
            if execution.settled:
                return execution
            await self._group.settled(execution)

    def _session_with(self, execution: Execution, question: _Question) -> WorkerSession | None:
        """The worker that has the run in memory, at the state that is asked for
        or on the way to it."""
        if question.not_cached:
            return None
        holder = execution.holder
        if holder is not None:
            return _able(holder.session) if question.is_patient() else None
        if _waits_to_see(execution, question):
            return None
        cached_at = self._group.dispatcher.cached_at(execution.run_key)
        session = None if cached_at is None else self._workers.sessions.get(cached_at)
        return None if session is None else _able(session)

    def _sees_soon(self, execution: Execution, question: _Question) -> bool:
        """The code is about to see what it must; what is asked then is cheap."""
        if not question.is_patient():
            return False
        if execution.holder is not None:
            return True
        return _waits_to_see(execution, question) and (
            self._workers.serves(question.key) or self._keeper(question) is not None
        )

    def _keeper(self, question: _Question) -> WorkerSession | None:
        """The worker that keeps the run, and nobody else gets its tasks."""
        return self._group.dispatcher.routes.keeper_of(question.key, question.row.run_id)

    def _anyone(self, question: _Question) -> WorkerSession | None:
        """The worker that keeps the run, else the one of that type with the fewest
        questions."""
        keeper = self._keeper(question)
        if keeper is not None and keeper.session_id not in question.refused:
            return keeper
        able = [
            session
            for session in self._workers.serving(question.key)
            if session.open_to_all and _able(session) and session.session_id not in question.refused
        ]
        return min(able, key=lambda session: len(session.questions), default=None)

    def _nobody(self, question: _Question) -> QueryRejection:
        row = question.row
        failures = [failure for failure in question.refused.values() if failure is not None]
        if failures:
            return cannot_go_on(row.workflow_id, failures[-1])
        return no_worker(row, others=self._workers.polls(row.task_queue))

    async def _look_again(self, run_key: int) -> None:
        watchers = self._group.watchers
        changed = watchers.follow(run_key)
        try:
            async with asyncio.timeout(_LOOK_AGAIN_S):
                await changed.wait()
        except TimeoutError:
            pass
        finally:
            watchers.unfollow(run_key, changed)

    # ------------------------------------------------------------ asking

    async def _whole_task(self, execution: Execution | None, question: _Question) -> pb.QueryTask:
        row = question.row
        task = _task(question)
        task.full_history = True
        if execution is not None:
            task.base, task.last_event_id = execution.state.base, execution.committed_event_id
            events = execution.whole_history()
            if events is not None:
                page, last = first_page(events)
                task.events.extend(page)
                task.more_pages = last < task.last_event_id
                return task
        else:
            latest = await self._group.store.read_run(row.run_key)
            assert latest is not None, "a closed run keeps its row"
            task.last_event_id = latest.last_event_id
        rows = await self._group.store.read_history(
            row.run_key, after_event_id=0, limit=PAGE_EVENTS, max_bytes=PAGE_BYTES
        )
        task.events.extend(event.data for event in rows if event.event_id <= task.last_event_id)
        task.more_pages = len(task.events) < task.last_event_id
        return task

    async def _ask_cached(
        self, session: WorkerSession, execution: Execution, question: _Question
    ) -> common_pb2.Payload | None:
        """Of a worker that has the run in memory; it may be busy with it. None:
        it has not (any more), or does not come to answer."""
        task = _task(question)
        task.base = execution.state.base
        task.last_event_id = question.must_see if _waits_to_see(execution, question) else 0
        patience_s: float | None = None
        if execution.holder is not None:  # it may go on for long before it is quiet
            now = asyncio.get_running_loop().time()
            patience_s = max(question.catch_up_until - now, _LEAST_PATIENCE_S)
        try:
            async with asyncio.timeout(patience_s):
                answer = await self._send(session, task)
        except TimeoutError:
            answer = None
        payload = self._read(answer, session, question, full=False)
        question.not_cached = payload is None
        return payload

    async def _send(self, session: WorkerSession, task: pb.QueryTask) -> pb.QueryAnswer | None:
        """What the worker says; None when it is gone before it says anything."""
        if session.outbox.closed:
            return None
        task.query_id = self._group.dispatcher.next_dispatch()
        answer: asyncio.Future[pb.QueryAnswer | None] = asyncio.get_running_loop().create_future()
        session.questions[task.query_id] = answer
        session.outbox.frame.queries.append(task)
        try:
            return await answer
        finally:
            session.questions.pop(task.query_id, None)

    def _read(
        self,
        answer: pb.QueryAnswer | None,
        session: WorkerSession,
        question: _Question,
        *,
        full: bool,
    ) -> common_pb2.Payload | None:
        """The result; None: somebody else has to be asked."""
        if answer is None:
            return None
        outcome = answer.WhichOneof("outcome")
        name = question.name
        if outcome == "result":
            size = len(answer.result.data)
            if size > self._limits.payload_bytes:
                what = f"the answer to query {name!r}"
                raise QueryRejection("QUERY_FAILED", edge.over_size(self._limits, what, size))
            return answer.result
        if outcome == "failure":
            raise handler_failed(name, answer.failure)
        if outcome == "unknown":
            raise unknown_query(question.row, name, answer.unknown.known)
        if outcome == "replay_failure":
            question.refused[session.session_id] = answer.replay_failure
        elif full:
            question.refused[session.session_id] = None
        return None


def _task(question: _Question) -> pb.QueryTask:
    row = question.row
    return pb.QueryTask(
        workflow_id=row.workflow_id, run_id=row.run_id, name=question.name, input=question.input
    )


def _able(session: WorkerSession) -> WorkerSession | None:
    """The session, if it still answers questions."""
    return None if session.draining or session.outbox.closed else session


def _last_unseen(execution: Execution) -> int:
    unseen = [i for i in execution.state.unseen if i <= execution.committed_event_id]
    return unseen[-1] if unseen else 0


def _waits_to_see(execution: Execution, question: _Question) -> bool:
    unseen = execution.state.unseen
    return bool(unseen) and unseen[0] <= question.must_see

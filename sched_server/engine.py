"""The engine: what its API can ask for, apart from any transport.

Every method returns only what is committed. `Rejection` says that a request
cannot be granted, `Unavailable` that nothing was promised.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from sched_server.codec import decode_event
from sched_server.core.decision import Rejection, Verdict
from sched_server.core.events import TERMINAL, Attributes, TerminalAttributes, WorkflowStarted
from sched_server.core.inputs import (
    CancelWorkflow,
    HeartbeatActivity,
    ReportActivity,
    SignalWorkflow,
    StartWorkflow,
    TerminateWorkflow,
)
from sched_server.core.values import Status
from sched_server.errors import Unavailable
from sched_server.lookup import Lookup, is_open
from sched_server.machine import Machine
from sched_server.observability.measures import Measures
from sched_server.queries import Queries
from sched_server.sessions import Sessions
from sched_server.shard_group import ShardGroup
from sched_server.turns import Turns
from sched_server.workers import WorkerRegistry

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_server.execution import Execution
    from sched_server.observability.tracing import Tracing
    from sched_server.queue.port import TaskQueue
    from sched_server.settings import EngineSettings
    from sched_server.store.port import RunRow, Store

GROUP = 0
# A start that keeps losing a race for its id gives up after so many rounds.
_START_ROUNDS = 5


class IdConflict(IntEnum):
    """What to do when the workflow id has an open run. Numbers as in the API."""

    FAIL = 1
    USE_EXISTING = 2
    TERMINATE_EXISTING = 3


class Engine:
    def __init__(
        self,
        settings: EngineSettings,
        store: Store,
        queue: TaskQueue,
        on_fenced: Callable[[], None],
        *,
        holds: Callable[[], bool] = lambda: True,
        measures: Measures | None = None,
        machine: Machine | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`on_fenced` is called when this engine must not lead any more; `holds`
        says, without asking anybody, whether it may."""
        self.settings = settings
        self.store = store
        self.holds = holds
        self.workers = WorkerRegistry()
        self.measures = Measures() if measures is None else measures
        self.machine = Machine() if machine is None else machine
        self.group = ShardGroup(
            GROUP,
            store,
            queue,
            self.workers,
            settings,
            on_fenced,
            holds,
            self.measures,
            self.machine,
            tracing,
        )
        self.lookup = Lookup(self.group)
        self.sessions = Sessions(self.group)
        self.queries = Queries(self.group, self.workers, settings.api_limits)
        self.turns = Turns()
        """Of workflow ids under which a run may be begun."""

    async def open(self, address: str) -> None:
        await self.group.open(address)
        await self.sessions.recover()
        self.queries.begin()

    async def close(self) -> None:
        """Commit what waits, then stop."""
        await self.group.close()
        self.queries.close()

    async def abandon(self) -> None:
        """Stop at once: the leadership is lost, nothing may be written any more."""
        await self.group.abandon()
        self.queries.close()

    # ------------------------------------------------------------ start

    async def start(
        self, request: StartWorkflow, conflict: IdConflict
    ) -> tuple[Execution | RunRow, bool]:
        """Start a run, or find the one that this request (or policy) means.

        Returns the run and whether it was started by this very call.
        """
        await self.turns.take(request.workflow_id)
        try:
            return await self._start(request, conflict)
        finally:
            self.turns.give_back(request.workflow_id)

    async def _start(
        self, request: StartWorkflow, conflict: IdConflict
    ) -> tuple[Execution | RunRow, bool]:
        for _ in range(_START_ROUNDS):
            current, newest = await self._current(request.workflow_id)
            known = current is not None and current.state.start_request_id == request.request_id
            exists = newest is not None or current is not None
            if request.request_id and exists and not known:
                earlier = await self.store.find_start(request.workflow_id, request.request_id)
                if earlier is not None:
                    return earlier, False
            latest = self.group.cache.get_open(request.workflow_id)
            if latest is not current and latest is not None:
                continue  # somebody else started or loaded it meanwhile
            if current is not None and (current.dropped or _has_ended(current)):
                continue
            if current is None:
                execution = self._create(request)
            elif (
                current.state.start_request_id == request.request_id
                or conflict is IdConflict.USE_EXISTING
            ):
                await self.group.settled(current)
                return current, False
            elif conflict is not IdConflict.TERMINATE_EXISTING:
                await self.group.settled(current)
                raise _already_started(current)
            else:
                execution = self._replace(current, request)
            await self.group.settled(execution)
            return execution, True
        raise Unavailable(f"workflow id {request.workflow_id!r} is contended; try again")

    async def current(self, workflow_id: str) -> Execution | None:
        """The open run of this id; a close that is not durable yet is waited for."""
        execution, _ = await self._current(workflow_id)
        return execution

    async def _current(self, workflow_id: str) -> tuple[Execution | None, RunRow | None]:
        """The open run of this id, and the newest stored one. A close that is
        not durable yet is waited for."""
        execution = self.group.cache.get_open(workflow_id)
        row = None
        if execution is None:
            row = await self.lookup.newest(workflow_id)
            execution = self.group.cache.get_open(workflow_id)
            if execution is None and row is not None and is_open(row):
                execution = await self.group.load(row.run_key)
        if execution is not None and execution.state.status is not Status.RUNNING:
            await self.group.settled(execution)
            return None, await self.lookup.newest(workflow_id)
        return execution, row

    def _create(self, request: StartWorkflow) -> Execution:
        # Ids and seeds are arguments of the core, so that it stays pure.
        run_id, seed = str(self.machine.new_uuid()), self.machine.random.getrandbits(63)
        return self.group.create(msgspec.structs.replace(request, run_id=run_id, seed=seed))

    def _replace(self, current: Execution, request: StartWorkflow) -> Execution:
        """End the open run and start the new one, in one transaction."""
        terminate = TerminateWorkflow(
            reason="replaced by a new run under the same workflow id",
            identity=request.identity,
        )
        self.group.apply(current, terminate)
        execution = self._create(
            msgspec.structs.replace(request, previous_run_id=current.state.run_id)
        )
        assert current.pending is not None
        current.pending.linked = execution
        return execution

    # ------------------------------------------------------------ change

    async def change(
        self,
        workflow_id: str,
        run_id: str,
        request: SignalWorkflow | CancelWorkflow | TerminateWorkflow,
    ) -> str:
        """Signal, cancel or terminate; returns the run id."""
        while True:
            execution = await self.lookup.execution(workflow_id, run_id)
            try:
                decision = self.group.apply(execution, request)
            except Rejection:
                # Even a refusal must not tell what is not durable.
                await self.group.settled(execution)
                raise
            if decision.verdict is not Verdict.HOLD:
                await self.group.settled(execution)
                return execution.state.run_id
            await self._task_answered(execution)

    async def _task_answered(self, execution: Execution) -> None:
        """Wait for the outstanding workflow task of a run that tries to close."""
        changed = self.group.watchers.follow(execution.run_key)
        try:
            async with asyncio.timeout(self.settings.workflow_task_timeout_s):
                await changed.wait()
        except TimeoutError:
            pass
        finally:
            self.group.watchers.unfollow(execution.run_key, changed)

    async def report_activity(
        self, run_id: str, request: ReportActivity | HeartbeatActivity
    ) -> bool:
        """An activity that goes on elsewhere. Returns whether it should stop."""
        execution = await self.lookup.by_run_id(run_id)
        decision = None if execution is None else self.group.apply(execution, request)
        if execution is None or decision is None or decision.verdict is Verdict.STALE:
            if execution is not None:
                # Even a refusal must not tell what is not durable.
                await self.group.settled(execution)
            raise Rejection(
                "ACTIVITY_NOT_FOUND",
                "the task token names no running activity attempt: it was completed, timed out, "
                "canceled, or is being tried again",
            )
        activity = execution.state.activities.get(request.seq)
        await self.group.settled(execution)
        return activity is not None and activity.cancel_requested

    # ------------------------------------------------------------ read

    async def outcome(
        self, workflow_id: str, run_id: str, wait_s: float
    ) -> tuple[str, TerminalAttributes | None]:
        """How the run ended: (run id, outcome); None while it is open after `wait_s`.
        Of a run that was reset, its end says which run goes on instead."""
        row = await self.row(workflow_id, run_id)
        return row.run_id, await self.outcome_of(row.run_key, wait_s)

    async def row(self, workflow_id: str, run_id: str) -> RunRow:
        """The stored row of a run; a run that is just being created is waited for."""
        cached = self.group.cache.get_open(workflow_id)
        if cached is not None and not cached.settled:
            await self.group.settled(cached)
        return await self.lookup.row(workflow_id, run_id)

    async def beginning_of(self, run_key: int) -> WorkflowStarted:
        """What a stored run began with."""
        started = await self._event(run_key, 1)
        assert isinstance(started, WorkflowStarted), "a history begins with the start"
        return started

    async def outcome_of(self, run_key: int, wait_s: float) -> TerminalAttributes | None:
        future = self.group.watchers.result(run_key)
        try:
            outcome = await self._stored_outcome(run_key)
            if outcome is not None or wait_s <= 0:
                return outcome
            async with asyncio.timeout(wait_s):
                return await future
        except TimeoutError:
            return None
        finally:
            future.cancel()

    async def _stored_outcome(self, run_key: int) -> TerminalAttributes | None:
        execution = self.group.cache.get(run_key)
        if execution is not None and execution.state.status is Status.RUNNING:
            return None
        row = await self.store.read_run(run_key)
        if row is None or is_open(row):
            return None
        attributes = await self._event(run_key, row.last_event_id)
        assert type(attributes) in TERMINAL, "a closed run ends with a terminal event"
        return attributes  # type: ignore[return-value]

    async def _event(self, run_key: int, event_id: int) -> Attributes:
        """One that is stored."""
        rows = await self.store.read_history(
            run_key, after_event_id=event_id - 1, limit=1, max_bytes=1
        )
        return decode_event(rows[0].data).attributes


def _has_ended(execution: Execution) -> bool:
    return execution.state.status is not Status.RUNNING


def _already_started(current: Execution) -> Rejection:
    return Rejection(
        "WORKFLOW_ALREADY_STARTED",
        f"workflow {current.state.workflow_id!r} is already running (run {current.state.run_id}); "
        "choose another id, or say what to do with id_conflict (use_existing, "
        "terminate_existing)",
    )

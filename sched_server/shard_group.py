"""A shard group: everything that one leader owns.

Lease, cache, committer, timers and dispatch of a set of shards. Today one
group holds all shards; several engines that each lead some are several
objects of this class.

`apply` is the one way in which a run changes: decide, fold, put the change
where the committer finds it. Whatever should happen once it is durable is
queued with the change.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from typing import TYPE_CHECKING, Any

from sched_server.assignments import Assignments
from sched_server.cache import ExecutionCache
from sched_server.changes import copy_events, fold
from sched_server.clock import Clock
from sched_server.committer import Committer
from sched_server.core import decide
from sched_server.core.decision import (
    ClearTimer,
    Decision,
    DispatchActivity,
    DispatchWorkflowTask,
    SetTimer,
    StopAttempt,
    Verdict,
)
from sched_server.core.inputs import FireTimer, LoseWorkflowTask
from sched_server.core.state import ExecutionState, TaskPhase
from sched_server.core.values import Status
from sched_server.dispatcher import Dispatcher
from sched_server.errors import Unavailable
from sched_server.execution import Execution, PendingChange
from sched_server.store.port import (
    WORKFLOW_TASK,
    RunChange,
    RunRow,
    TaskKey,
)
from sched_server.timers import TimerService
from sched_server.upkeep import Revivals, reconcile, watch_overdue_tasks
from sched_server.watchers import Watchers

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from sched_server.core.inputs import Input, ResumeCopy, StartWorkflow
    from sched_server.core.values import TimerKind
    from sched_server.machine import Machine
    from sched_server.observability.measures import Measures
    from sched_server.observability.tracing import Tracing
    from sched_server.queue.port import TaskQueue
    from sched_server.settings import EngineSettings
    from sched_server.store.port import EventRow, Store
    from sched_server.workers import WorkerRegistry

logger = logging.getLogger("sched.engine")

SHARDS = 1024


def shard_of(workflow_id: str) -> int:
    return zlib.crc32(workflow_id.encode()) % SHARDS


class ShardGroup:
    def __init__(
        self,
        number: int,
        store: Store,
        queue: TaskQueue,
        workers: WorkerRegistry,
        settings: EngineSettings,
        on_fenced: Callable[[], None],
        holds: Callable[[], bool],
        measures: Measures,
        machine: Machine,
        tracing: Tracing | None = None,
    ) -> None:
        self.number = number
        self.store = store
        self.settings = settings
        self.workers = workers
        self.machine = machine
        self.clock = Clock(0, machine.monotonic)
        self.epoch = 0
        self.measures = measures
        self.tracing = tracing
        """None: this engine makes no spans."""
        self.cache = ExecutionCache(store, settings.cached_executions, measures)
        self.watchers = Watchers()
        self.dispatcher = Dispatcher(
            self,
            queue,
            workers,
            workflow_task_timeout_s=settings.workflow_task_timeout_s,
        )
        self.assignments = Assignments(self)
        self.timers: TimerService
        self._committer = Committer(
            store,
            number,
            batch_executions=settings.batch_executions,
            on_committed=self._on_committed,
            on_failed=self._on_failed,
            on_fenced=on_fenced,
            may_commit=holds,
            measures=measures,
            monotonic=machine.monotonic,
        )
        self._revivals = Revivals(self)
        self._next_run_key = 0
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._vital: set[asyncio.Task[Any]] = set()
        self.on_fired: Callable[[Execution], None] | None = None
        """Hears of each timer that came due and changed something."""
        self.closed = False
        """Nothing is decided or written any more."""
        self._stop_serving = on_fenced

    # ------------------------------------------------------------ life

    async def open(self, address: str) -> None:
        """Become the leader and recover, from rows only."""
        lease = await self.store.acquire(self.number, address)
        self.epoch = self._committer.epoch = lease.epoch
        self._next_run_key = lease.next_run_key
        self.clock = Clock(lease.now_us, self.machine.monotonic, advanced_us=lease.advanced_us)
        self.timers = TimerService(
            self.store,
            self.number,
            self.clock,
            self._fire,
            per_second=self.settings.timers_per_second,
            lateness=self.measures.timer_lateness,
        )
        grace_us = int(self.settings.activity_grace_s * 1_000_000)
        await self.timers.load(recovering_grace_us=grace_us)
        await self.dispatcher.open(lease.epoch)
        self._vital = {self.spawn(self._committer.run()), self.spawn(self.timers.run())}
        self.spawn(watch_overdue_tasks(self))
        self.spawn(reconcile(self))

    async def close(self) -> None:
        """Commit what waits, then stop."""
        drain = self.spawn(self._committer.drain())
        await asyncio.wait({drain, *self._vital}, return_when=asyncio.FIRST_COMPLETED)
        await self._stop()

    async def abandon(self) -> None:
        """Stop at once. Whoever waits for a commit learns that nothing was promised."""
        self.closed = True
        await self._stop()
        gone = Unavailable("this engine does not lead any more; try another")
        for execution in self.cache.unsettled():
            for pending in (execution.in_flight, execution.pending):
                for callback in pending.callbacks if pending is not None else ():
                    callback(gone)

    async def _stop(self) -> None:
        self.closed = True
        await self.dispatcher.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run in the background; a failure is logged, never silent."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if self.closed and isinstance(error, Unavailable):
            return  # whoever asked for it asks the next leader
        if error is not None:
            logger.error("background work failed", exc_info=error)
            if task in self._vital:
                # An engine that commits or fires nothing must not go on answering.
                self._stop_serving()

    # ------------------------------------------------------------ runs

    async def load(self, run_key: int) -> Execution | None:
        execution = self.cache.get(run_key)
        return execution if execution is not None else await self.cache.load(run_key)

    def create(self, request: StartWorkflow) -> Execution:
        """Open a new run. The caller made sure that the id is free."""
        execution = self._new_execution(request.workflow_id)
        self.apply(execution, request)
        return self._created(execution)

    def create_copy(
        self, workflow_id: str, events: Sequence[EventRow], request: ResumeCopy
    ) -> Execution:
        """Open a new run that begins with these events. The caller made sure
        that the id is free."""
        execution = self._new_execution(workflow_id)
        pending = self._pending(execution)
        try:
            copy_events(execution, pending, events)
            self.apply(execution, request)
        except BaseException:
            pending.broken = True
            raise
        return self._created(execution)

    def _new_execution(self, workflow_id: str) -> Execution:
        run_key = self._next_run_key
        self._next_run_key += 1
        return Execution(run_key, shard_of(workflow_id), ExecutionState())

    def _created(self, execution: Execution) -> Execution:
        state, pending = execution.state, execution.pending
        assert pending is not None
        pending.change.created = RunRow(
            run_key=execution.run_key,
            run_id=state.run_id,
            workflow_id=state.workflow_id,
            shard=execution.shard,
            workflow_type=state.workflow_type,
            task_queue=state.task_queue,
            status=int(Status.RUNNING),
            start_request_id=state.start_request_id,
            started_us=state.started_us,
            last_event_id=state.last_event_id,
            history_bytes=state.history_bytes,
        )
        self.cache.add(execution)
        return execution

    def apply(self, execution: Execution, request: Input) -> Decision:
        """Decide `request` and queue what follows for the next commit.

        Raises Rejection, having changed nothing.
        """
        if self.closed:
            raise Unavailable("this engine does not lead any more; try another")
        state = execution.state
        now = max(self.clock.now_us(), state.last_time_us)
        decision = decide(state, request, now, self.settings.limits)
        if decision.events or decision.records:
            self._absorb(execution, decision, now)
        else:
            for effect in decision.effects:
                if type(effect) is SetTimer:
                    # It came too early; its row still stands.
                    self.timers.put_off(execution.run_key, effect.kind, effect.seq, effect.due_us)
        return decision

    def _absorb(self, execution: Execution, decision: Decision, now: int) -> None:
        pending = self._pending(execution)
        try:
            fold(execution, pending, decision, now)
            for effect in decision.effects:
                self._queue_effect(execution, pending, effect)
        except BaseException:
            pending.broken = True
            raise

    def _pending(self, execution: Execution) -> PendingChange:
        """What the next commit will write of this run."""
        pending = execution.pending
        if pending is None:
            state = execution.state
            pending = execution.pending = PendingChange(
                RunChange(
                    run_key=execution.run_key,
                    shard=execution.shard,
                    expected_last_event_id=state.last_event_id,
                    last_event_id=0,
                    history_bytes=0,
                )
            )
            if state.run_id:
                self.cache.keep(execution)
            self._committer.add(execution)
        return pending

    def _queue_effect(self, execution: Execution, pending: PendingChange, effect: Any) -> None:
        kind = type(effect)
        change = pending.change
        if kind is SetTimer:
            key = (int(effect.kind), effect.seq)
            change.timers_put[key] = effect.due_us
            change.timers_deleted.discard(key)
        elif kind is ClearTimer:
            key = (int(effect.kind), effect.seq)
            change.timers_put.pop(key, None)
            change.timers_deleted.add(key)
        elif kind is DispatchWorkflowTask:
            pending.actions.append(lambda: self.dispatcher.workflow_task(execution))
        elif kind is DispatchActivity:
            self.assignments.offer(execution, pending, effect.seq)
        else:
            assert kind is StopAttempt
            pending.actions.append(lambda: self.assignments.stop(effect))

    @property
    def committing(self) -> bool:
        """Something was decided that is not durable yet."""
        return not self._committer.idle

    # ------------------------------------------------------------ commit

    async def settled(self, execution: Execution) -> None:
        """Wait until everything decided so far is durable.

        Raises the commit's error when it failed: nothing was promised.
        """
        pending = execution.pending or execution.in_flight
        if pending is None:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake(error: Exception | None) -> None:
            if waiter.done():
                return
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

        pending.callbacks.append(wake)
        await waiter

    def when_settled(
        self, execution: Execution, callback: Callable[[Exception | None], None]
    ) -> None:
        """Like `settled`, without a future."""
        pending = execution.pending or execution.in_flight
        if pending is None:
            callback(None)
        else:
            pending.callbacks.append(callback)

    def _on_committed(self, executions: list[Execution]) -> None:
        for execution in executions:
            pending = execution.in_flight
            assert pending is not None
            execution.in_flight = None
            change = pending.change
            execution.committed_event_id = change.last_event_id
            if execution.pending is not None:
                self._committer.add(execution)
            run_key = execution.run_key
            for (kind, seq), due_us in change.timers_put.items():
                self.timers.set(run_key, kind, seq, due_us)
            for kind, seq in change.timers_deleted:
                self.timers.clear(run_key, kind, seq)
            for callback in pending.callbacks:
                callback(None)
            for action in pending.actions:
                action()
            if change.events:
                self.watchers.changed(run_key)
            if change.closed_status:
                self._closed(execution)

    def _closed(self, execution: Execution) -> None:
        self.dispatcher.let_go(execution)
        self.dispatcher.forget_cached(execution.run_key)
        outcome = execution.state.outcome
        assert outcome is not None
        self.watchers.closed(execution.run_key, outcome)
        if self.tracing is not None:
            self.tracing.closed(execution.state)
        if not execution.pinned:
            self.cache.drop(execution)

    def _on_failed(self, execution: Execution, error: Exception) -> None:
        """Forget everything built on what was not written; the rows have the truth."""
        waiting = [x for x in (execution.in_flight, execution.pending) if x is not None]
        execution.dropped = True
        execution.in_flight = execution.pending = None
        self.dispatcher.forget_cached(execution.run_key)
        # A worker that has its task goes on with it, in the slot that it has.
        self.cache.drop(execution)
        for pending in waiting:
            for callback in pending.callbacks:
                callback(error)
        if any(pending.change.created is not None for pending in waiting):
            return
        closing = any(pending.change.closed_status for pending in waiting)
        self._revivals.begin(execution.run_key, closing=closing)

    # ------------------------------------------------------------ due

    async def _fire(self, run_key: int, kind: TimerKind, seq: int) -> None:
        if self._revivals.hold_back(run_key):
            return  # or it would fire before one that was due earlier; it comes back, too
        execution = await self.load(run_key)
        # Of a term that is over it is left to the next leader, who has its row.
        if execution is not None and not self.closed:
            decision = self.apply(execution, FireTimer(kind=kind, seq=seq))
            if self.on_fired is not None and decision.verdict is Verdict.ACCEPTED:
                self.on_fired(execution)

    def lose_workflow_task(self, execution: Execution, *, returned: bool = False) -> None:
        """Nobody works on the run's task any more; give it out again."""
        holder = execution.holder
        if holder is None:
            return
        identity = holder.session.identity
        self.dispatcher.let_go(execution)
        self.dispatcher.forget_cached(execution.run_key)
        if execution.dropped or execution.state.task.phase is TaskPhase.IDLE:
            return
        self.apply(execution, LoseWorkflowTask(identity=identity, returned=returned))

    def workflow_key(self, state: ExecutionState) -> TaskKey:
        return TaskKey(state.task_queue, WORKFLOW_TASK, state.workflow_type)

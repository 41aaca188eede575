"""Tasks to workers: directly where a slot is free, else through the queue.

Direct hand-off happens only while a key has no backlog, so that nothing
overtakes. A key's backlog is a bounded window in the queue; what does not fit
stays in the task rows and is refilled from there, in order (`_refill`).

A workflow task's holder is memory, checked by dispatch number and `base`. An
activity is pushed only after a commit that names the session (`reserve`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sched_server.backlog import Backlog
from sched_server.core.state import ActivityPhase, TaskPhase
from sched_server.errors import Unavailable
from sched_server.execution import Holder
from sched_server.queue.port import QueuedTask
from sched_server.routes import Routes
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, StoreError, TaskKey
from sched_server.tasks import activity_task, push_workflow_task

if TYPE_CHECKING:
    from sched_server.execution import Execution
    from sched_server.queue.port import QueueStatus, TaskQueue
    from sched_server.shard_group import ShardGroup
    from sched_server.workers import WorkerRegistry, WorkerSession

logger = logging.getLogger("sched.engine")

REFILL_PAGE = 1_000
# A task that is ready for so long although a worker is free was forgotten.
RECONCILE_AFTER_US = 5_000_000
# Pause before a backlog is tried again after a store failure.
_RETRY_S = 0.5


class Dispatcher:
    """Hands the tasks of one shard group to the workers of this engine."""

    def __init__(
        self,
        group: ShardGroup,
        queue: TaskQueue,
        workers: WorkerRegistry,
        *,
        workflow_task_timeout_s: float,
    ) -> None:
        self._group = group
        self._queue = queue
        self._workers = workers
        self._timeout_s = workflow_task_timeout_s
        self._monotonic = group.machine.monotonic
        self.routes = Routes(group, workers)
        self._backlogs: dict[TaskKey, Backlog] = {}
        self._to_publish: list[QueuedTask] = []
        self._publishing = False
        self._next_dispatch = 0
        self._sticky: dict[int, str] = {}

    async def open(self, epoch: int) -> None:
        """Take over: every key that has ready tasks has a backlog."""
        self._next_dispatch = epoch << 32
        await self._queue.open(self._wake_backlog, self._queue_lost)
        for key, _ in await self._group.store.ready_task_keys(self._group.number):
            self._backlog(key).refill = True

    async def close(self) -> None:
        await self._queue.close()

    @property
    def busy(self) -> bool:
        """Tasks are on their way to a worker, or one has a free slot for them."""
        return self._publishing or any(
            backlog.pumping or self._workers.pick(key, None) is not None
            for key, backlog in self._backlogs.items()
        )

    def queue_status(self) -> QueueStatus:
        return self._queue.status()

    def next_dispatch(self) -> int:
        """Grows over the life of the cluster, because epochs do."""
        self._next_dispatch += 1
        return self._next_dispatch

    # ------------------------------------------------------------ workflow tasks

    def workflow_task(self, execution: Execution) -> None:
        """The run's workflow task waits (durably) for a worker."""
        state = execution.state
        if execution.holder is not None or state.task.phase is not TaskPhase.SCHEDULED:
            return
        if execution.dropped:
            return  # its rows are read again, and their tasks with them
        if not execution.settled:
            # More is being committed; the task goes out with it.
            execution_actions = execution.pending or execution.in_flight
            assert execution_actions is not None
            execution_actions.actions.append(lambda: self.workflow_task(execution))
            return
        key = TaskKey(state.task_queue, WORKFLOW_TASK, state.workflow_type)
        task = QueuedTask(key, execution.run_key, 0, state.task.attempt)
        if self._hand_to_bound(execution, task):
            return
        session = None
        if key not in self._backlogs:
            session = self._workers.pick(key, self._sticky.get(execution.run_key))
        if session is None:
            self._publish(task, state.task.ready_since_us)
            return
        self._hand_out(execution, session)

    def _hand_to_bound(self, execution: Execution, task: QueuedTask) -> bool:
        """Hand the task to the worker that it is bound to, or park it there.
        False: anybody may have it."""
        session = self.routes.bound_to(task.key, execution.state)
        if session is None:
            return False
        if not session.free_slots_for_its_own(task.key.kind):
            self.routes.park(session, task)
        elif task.key.kind == WORKFLOW_TASK:
            self._hand_out(execution, session)
        else:
            self._group.assignments.assign(execution, task.seq, session)
        return True

    def _hand_out(self, execution: Execution, session: WorkerSession) -> None:
        dispatch = self.next_dispatch()
        self.hold(execution, session, dispatch)
        group, task = self._group, execution.state.task
        group.measures.handed_out(WORKFLOW_TASK, task.ready_since_us, group.clock.now_us())
        cached = self._sticky.get(execution.run_key) == session.session_id
        push_workflow_task(self._group, execution, session, dispatch, cached=cached)

    def hold(self, execution: Execution, session: WorkerSession, dispatch: int) -> None:
        deadline = self._monotonic() + self._timeout_s
        execution.holder = Holder(session, dispatch, deadline)
        self._group.cache.keep(execution)
        session.held[dispatch] = execution

    def renew(self, session: WorkerSession, dispatch: int) -> None:
        execution = session.held.get(dispatch)
        if execution is not None and execution.holder is not None:
            execution.holder.deadline = self._monotonic() + self._timeout_s

    def let_go(self, execution: Execution) -> None:
        """Nobody holds the run's workflow task any more."""
        holder = execution.holder
        if holder is None:
            return
        execution.holder = None
        holder.session.held.pop(holder.dispatch, None)
        self.slot_freed(holder.session, WORKFLOW_TASK)

    def remember_cached(self, run_key: int, session: WorkerSession) -> None:
        """The session has an instance of the run that stands at its `base`."""
        self._sticky[run_key] = session.session_id

    def cached_at(self, run_key: int) -> str | None:
        """The session that has an instance of the run at its `base`."""
        return self._sticky.get(run_key)

    def forget_cached(self, run_key: int) -> None:
        self._sticky.pop(run_key, None)

    def overdue(self) -> list[Execution]:
        """Runs whose workflow task was neither answered nor renewed in time."""
        now = self._monotonic()
        return [
            execution
            for session in self._workers.sessions.values()
            for execution in session.held.values()
            if execution.holder is not None and execution.holder.deadline < now
        ]

    # ------------------------------------------------------------ activities

    def reserve(
        self, key: TaskKey, execution: Execution, preferred: str | None
    ) -> WorkerSession | None:
        """A session that can take an activity of this key right now, unless others wait."""
        bound = self.routes.bound_to(key, execution.state)
        if bound is not None:
            return bound if bound.free_slots_for_its_own(key.kind) else None
        if key in self._backlogs:
            return None
        return self._workers.pick(key, preferred)

    def push_activity(
        self, execution: Execution, seq: int, session: WorkerSession, dispatch: int
    ) -> None:
        """The assignment is durable."""
        activity = execution.state.activities.get(seq)
        given = activity is not None and activity.record.dispatch == dispatch
        if activity is None or not given or activity.record.phase is not ActivityPhase.STARTED:
            # Its attempt ended in the commit that assigned it; the slot is free for others.
            if session.activities.pop(dispatch, None) is not None:
                self.slot_freed(session, ACTIVITY_TASK)
            return
        if not session.outbox.closed:
            group, ready_since_us = self._group, activity.record.ready_since_us
            group.measures.handed_out(ACTIVITY_TASK, ready_since_us, group.clock.now_us())
            task = activity_task(execution.state, activity, group.tracing)
            session.outbox.frame.activity_tasks.append(task)

    def activity(self, execution: Execution, seq: int) -> None:
        """The activity waits (durably) for a worker."""
        activity = execution.state.activities.get(seq)
        if activity is None or activity.record.phase is not ActivityPhase.SCHEDULED:
            return
        record = activity.record
        key = TaskKey(activity.scheduled.task_queue, ACTIVITY_TASK, activity.scheduled.name)
        task = QueuedTask(key, execution.run_key, seq, record.attempt)
        if not self._hand_to_bound(execution, task):
            self._publish(task, record.ready_since_us)

    def hand_out_waiting(self, execution: Execution) -> None:
        """Everything of the run that waits for a worker."""
        self.workflow_task(execution)
        for seq in list(execution.state.activities):
            self.activity(execution, seq)

    # ------------------------------------------------------------ backlog

    def session_joined(self, session: WorkerSession) -> None:
        for key in session.keys:
            if key in self._backlogs:
                self._wake_backlog(key)

    def slot_freed(self, session: WorkerSession, kind: int) -> None:
        if session.parked:
            self.routes.slot_freed(session, kind)
        if not self._backlogs:
            return
        keys = session.workflow_keys if kind == WORKFLOW_TASK else session.activity_keys
        for key in keys:
            if key in self._backlogs:
                self._wake_backlog(key)

    def depths(self) -> dict[TaskKey, int]:
        return {key: self._queue.depth(key) for key in self._backlogs}

    def keys_beyond_window(self) -> list[TaskKey]:
        """Keys of which the store may have more than `depths` knows."""
        return [key for key, backlog in self._backlogs.items() if backlog.refill]

    def _backlog(self, key: TaskKey) -> Backlog:
        return self._backlogs.setdefault(key, Backlog())

    def _publish(self, task: QueuedTask, ready_since_us: int) -> None:
        backlog = self._backlog(task.key)
        if backlog.reading:
            backlog.late.append((task, ready_since_us))
            return
        if backlog.will_read(ready_since_us):
            return
        self._to_publish.append(task)
        if not self._publishing:
            self._publishing = True
            self._group.spawn(self._flush())

    async def _flush(self) -> None:
        """Publish what one commit batch yielded, in one round trip."""
        await asyncio.sleep(0)
        self._publishing = False
        tasks, self._to_publish = self._to_publish, []
        for task in await self._queue.publish(tasks):
            self._backlog(task.key).begin_anew()
        for key in dict.fromkeys(task.key for task in tasks):
            self._wake_backlog(key)

    def _queue_lost(self) -> None:
        """What the queue held may be gone; the rows say what waits."""
        for backlog in self._backlogs.values():
            backlog.begin_anew()
        self._group.spawn(self._find_backlogs())

    async def _find_backlogs(self) -> None:
        try:
            for key, _ in await self._group.store.ready_task_keys(self._group.number):
                self._backlog(key).begin_anew()
        except StoreError as error:
            logger.warning("the waiting tasks could not be listed, trying again: %s", error)
            asyncio.get_running_loop().call_later(_RETRY_S, self._queue_lost)
            return
        for key in list(self._backlogs):
            self._wake_backlog(key)

    def _wake_backlog(self, key: TaskKey) -> None:
        backlog = self._backlog(key)
        if backlog.pumping:
            backlog.woken = True
        elif self._workers.pick(key, None) is not None:
            backlog.pumping = True
            self._group.spawn(self._pump(key, backlog))

    async def _pump(self, key: TaskKey, backlog: Backlog) -> None:
        """Hand out waiting tasks while there are free slots."""
        try:
            while True:
                session = self._workers.pick(key, None)
                if session is None:
                    return
                backlog.woken = False
                tasks = await self._queue.take(key, session.free_slots(key.kind))
                if not tasks:
                    if not await self._refill(key, backlog) and not backlog.woken:
                        return
                    continue
                for task in tasks:
                    await self._deliver_or_skip(task)
                await self._queue.finish(tasks)
        except (StoreError, Unavailable) as error:
            # What was taken and not handed out is found again in its rows.
            logger.warning("the backlog of %s could not be read, trying again: %s", key, error)
            backlog.begin_anew()
            asyncio.get_running_loop().call_later(_RETRY_S, self._wake_backlog, key)
        finally:
            backlog.pumping = False
            if not backlog.refill and self._queue.depth(key) == 0:
                self._end_backlog(key, backlog)

    def _end_backlog(self, key: TaskKey, backlog: Backlog) -> None:
        if self._backlogs.get(key) is backlog and not any(
            task.key == key for task in self._to_publish
        ):
            del self._backlogs[key]

    async def _refill(self, key: TaskKey, backlog: Backlog) -> bool:
        """Read the next page of rows into the queue. False: nothing is left."""
        if not backlog.refill:
            return False
        backlog.reading, backlog.anew = True, False
        try:
            rows = await self._group.store.ready_tasks(
                self._group.number, key, after=backlog.cursor, limit=REFILL_PAGE
            )
        finally:
            backlog.reading = False
            late, backlog.late = backlog.late, []
        before = backlog.cursor
        if not backlog.anew:
            backlog.refill = len(rows) == REFILL_PAGE
            backlog.cursor = rows[-1] if backlog.refill else None
        tasks = [QueuedTask(key, row.run_key, row.seq, 0) for row in rows]
        overflow = await self._queue.publish(tasks) if tasks else ()
        if overflow and not backlog.anew:
            taken = tasks.index(overflow[0])
            backlog.refill = True
            backlog.cursor = rows[taken - 1] if taken else before
        for task, ready_since_us in late:
            self._publish(task, ready_since_us)
        return bool(tasks) or backlog.anew

    async def _deliver_or_skip(self, task: QueuedTask) -> None:
        try:
            await self._deliver(task)
        except (StoreError, Unavailable):
            raise
        except Exception:
            # One run that cannot be read must not stop those behind it.
            logger.exception("a task of run %d could not be handed out", task.run_key)

    async def _put_back(self, task: QueuedTask) -> None:
        """Its slot was taken meanwhile."""
        if await self._queue.publish([task]):
            self._backlog(task.key).begin_anew()

    async def _deliver(self, task: QueuedTask) -> None:
        """One waiting task; it may be over, or held already."""
        execution = await self._group.load(task.run_key)
        if execution is None:
            return
        if task.key.kind == WORKFLOW_TASK:
            if execution.holder is not None or execution.state.task.phase is not (
                TaskPhase.SCHEDULED
            ):
                return
            if not execution.settled:
                await self._group.settled(execution)
                execution = await self._group.load(task.run_key)
                if execution is None or not execution.settled or execution.holder is not None:
                    return
                if execution.state.task.phase is not TaskPhase.SCHEDULED:
                    return
            if self._hand_to_bound(execution, task):
                return
            session = self._workers.pick(task.key, self._sticky.get(task.run_key))
            if session is None:
                await self._put_back(task)
                return
            self._hand_out(execution, session)
            return
        if self._hand_to_bound(execution, task):
            return
        session = self._workers.pick(task.key, None)
        if session is None:
            await self._put_back(task)
            return
        self._group.assignments.assign(execution, task.seq, session)

    async def reconcile(self) -> None:
        """Rows that have been ready for a while although workers are free mean
        that a delivery was lost; read the key's backlog from the rows again."""
        store, number = self._group.store, self._group.number
        before_us = self._group.clock.now_us() - RECONCILE_AFTER_US
        for key, _ in await store.ready_task_keys(number):
            if key in self._backlogs or self._workers.pick(key, None) is None:
                continue
            oldest = await store.ready_tasks(number, key, after=None, limit=1)
            if not oldest or oldest[0].ready_since_us > before_us or key in self._backlogs:
                continue
            execution = self._group.cache.get(oldest[0].run_key)
            if execution is None or (execution.holder is None and execution.settled):
                self._backlog(key).refill = True
                self._wake_backlog(key)

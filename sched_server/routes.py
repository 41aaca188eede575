"""Runs whose tasks go to certain workers.

Most tasks go to any worker that serves their key. Two things bind a run to a
worker that is there:

    kept     the worker keeps the run (`KeepRuns`): old code that finishes what
             newer code would break. It alone gets the run's tasks of what it
             serves, activities included: newer code may have renamed them.
    pinned   another build parted from the run's history (`pinned_build`): the
             run's workflow tasks go to a worker of the last good build.

A bound task whose worker has no free slot is parked at that worker. In the queue
it would be taken and put back for ever, and hold up what is behind it.

Nothing of this is stored, and nothing strands: a worker that leaves, drains or
lets go of a run binds it no longer, and its tasks go to anybody. Of what was
parked when an engine ends, the next one finds the rows, and a worker says again
with its first frame what it keeps.
"""

from __future__ import annotations

import functools
import logging
from typing import TYPE_CHECKING

from sched_server.core.inputs import HastenWorkflowTask
from sched_server.insist import insist
from sched_server.observability.log_fields import about
from sched_server.store.port import WORKFLOW_TASK, TaskKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sched_server.core.state import ExecutionState
    from sched_server.execution import Execution
    from sched_server.queue.port import QueuedTask
    from sched_server.shard_group import ShardGroup
    from sched_server.workers import WorkerRegistry, WorkerSession

__all__ = ["Routes"]

logger = logging.getLogger("sched.engine")

# Runs whose workflow task failed that are remembered per key, to hasten them
# when other code comes; the rest wait for their backoff.
_REMEMBERED_FAILING = 10_000


class Routes:
    """Those of one shard group."""

    def __init__(self, group: ShardGroup, workers: WorkerRegistry) -> None:
        self._group = group
        self._workers = workers
        self._failing: dict[TaskKey, dict[int, None]] = {}

    def bound_to(self, key: TaskKey, state: ExecutionState) -> WorkerSession | None:
        """The worker that a task of this run goes to; None: to anybody."""
        workers = self._workers
        if workers.keepers:
            keeper = self.keeper_of(key, state.run_id)
            if keeper is not None:
                return keeper
        if state.pinned_build and key.kind == WORKFLOW_TASK:
            task = state.task
            if task.failure is not None and task.failed_build == state.pinned_build:
                return None  # it cannot go on there either
            return self._of_build(key, state.pinned_build)
        return None

    def keeper_of(self, key: TaskKey, run_id: str) -> WorkerSession | None:
        """The worker that keeps the run and serves the key."""
        for session in self._workers.keepers:
            if session.draining or run_id not in session.kept:
                continue
            if session in self._workers.serving(key):
                return session
        return None

    def _of_build(self, key: TaskKey, build_id: str) -> WorkerSession | None:
        same = [
            session
            for session in self._workers.serving(key)
            if session.hello.build_id == build_id and session.open_to_all
        ]
        return max(same, key=lambda session: session.free_slots(key.kind), default=None)

    # ------------------------------------------------------------ code that does not fit

    def offer_to_fitting_code(self, execution: Execution, key: TaskKey, build_id: str) -> None:
        """This build parted from the history; where a worker has other code that is
        known to fit, the run need not wait."""
        fitting = self.bound_to(key, execution.state)
        if fitting is None or fitting.hello.build_id == build_id:
            return
        logger.info(
            "workflow %s goes on with build %s, at worker %s",
            execution.state.workflow_id,
            fitting.hello.build_id or "unknown",
            fitting.identity,
            extra=about(execution.state),
        )
        self._group.apply(execution, HastenWorkflowTask())

    def remember_failing(self, key: TaskKey, run_key: int) -> None:
        runs = self._failing.setdefault(key, {})
        if len(runs) < _REMEMBERED_FAILING:
            runs[run_key] = None

    def take_failing(self, key: TaskKey) -> list[int]:
        """Runs whose code failed, to be tried again with the code that came."""
        return list(self._failing.pop(key, ()))

    # ------------------------------------------------------------ keeping

    async def keep(self, session: WorkerSession, run_ids: Iterable[str], *, only: bool) -> None:
        """The worker keeps these runs from now on, and no others. Returns when it
        was given what waits of them."""
        self._workers.keep(session, run_ids, only=only)
        self.release(session)
        await self.offer_kept(session)

    async def offer_kept(self, session: WorkerSession) -> None:
        """Give the worker what waits of the runs that it keeps."""
        for run_id in sorted(session.kept):
            await insist(
                self._group,
                "a run could not be offered to the worker that keeps it",
                functools.partial(self._offer, run_id),
            )

    async def _offer(self, run_id: str) -> None:
        execution = self._group.cache.get_by_run_id(run_id)
        if execution is None:
            row = await self._group.store.find_run_by_id(run_id)
            execution = None if row is None else await self._group.load(row.run_key)
        if execution is not None:
            self._group.dispatcher.hand_out_waiting(execution)

    # ------------------------------------------------------------ parking

    def park(self, session: WorkerSession, task: QueuedTask) -> None:
        session.parked[task] = None

    def slot_freed(self, session: WorkerSession, kind: int) -> None:
        """As many of the parked tasks as there are slots now."""
        free = session.free_slots_for_its_own(kind)
        for task in [task for task in session.parked if task.key.kind == kind][:free]:
            del session.parked[task]
            self._look_again_soon(task)

    def release(self, session: WorkerSession) -> None:
        """What is bound to the worker may have changed: ask again of each task."""
        parked, session.parked = session.parked, {}
        for task in parked:
            self._look_again_soon(task)

    def _look_again_soon(self, task: QueuedTask) -> None:
        duty = "a waiting task could not be handed out"
        self._group.spawn(insist(self._group, duty, lambda: self._look_again(task)))

    async def _look_again(self, task: QueuedTask) -> None:
        execution = await self._group.load(task.run_key)
        if execution is None:
            return
        if task.key.kind == WORKFLOW_TASK:
            self._group.dispatcher.workflow_task(execution)
        else:
            self._group.dispatcher.activity(execution, task.seq)

"""The bounded cache of runs, and loading by fold.

Least recently used runs leave first; runs with uncommitted work or with a
worker at their task stay. There is never a second object of a run: loading is
single-flight, and a run that has left but is still in somebody's hands comes
back as the same object.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING

from sched_server.codec import decode_record
from sched_server.core import restore_activity
from sched_server.core.state import ActivityRecord, ExecutionState, WorkflowTaskRecord
from sched_server.core.values import Status
from sched_server.execution import Execution
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK

if TYPE_CHECKING:
    from sched_server.observability.measures import Measures
    from sched_server.store.port import RunRow, Store

# Histories are folded in slices, so that a long one does not hold up the others.
SLICE_EVENTS = 500
SLICE_BYTES = 1024 * 1024


class ExecutionCache:
    def __init__(self, store: Store, capacity: int, measures: Measures) -> None:
        self._store = store
        self._capacity = capacity
        self._measures = measures
        self._by_key: OrderedDict[int, Execution] = OrderedDict()
        self._by_run_id: dict[str, Execution] = {}
        self._open_by_workflow_id: dict[str, Execution] = {}
        self._alive: weakref.WeakValueDictionary[int, Execution] = weakref.WeakValueDictionary()
        """Every run in memory that is not dropped, in the cache or not any more."""
        self._held: dict[int, Execution] = {}
        """Runs that were dropped while a worker had their task, until they are read."""
        self._loading: dict[int, asyncio.Future[Execution | None]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, run_key: int) -> Execution | None:
        execution = self._by_key.get(run_key)
        if execution is not None:
            self._measures.cache_hits += 1
            self._by_key.move_to_end(run_key)
            return execution
        execution = self._alive.get(run_key)
        if execution is not None:
            self._measures.cache_hits += 1
            self.add(execution)
        return execution

    def keep(self, execution: Execution) -> None:
        """It is about to change, or a worker has its task: it must be found here."""
        if execution.run_key not in self._by_key:
            self.add(execution)

    def get_by_run_id(self, run_id: str) -> Execution | None:
        execution = self._by_run_id.get(run_id)
        if execution is not None:
            self._measures.cache_hits += 1
        return execution

    def get_open(self, workflow_id: str) -> Execution | None:
        """The run of this workflow id that was opened last, if it is here."""
        return self._open_by_workflow_id.get(workflow_id)

    def add(self, execution: Execution) -> None:
        self._by_key[execution.run_key] = execution
        self._alive[execution.run_key] = execution
        self._by_run_id[execution.state.run_id] = execution
        if execution.state.status is Status.RUNNING:
            self._open_by_workflow_id[execution.state.workflow_id] = execution
        if len(self._by_key) > self._capacity:
            self._evict()

    def unsettled(self) -> list[Execution]:
        """Runs with something that is not durable."""
        return [execution for execution in self._by_key.values() if not execution.settled]

    def drop(self, execution: Execution) -> None:
        """Forget it, even if somebody still has it: the rows have the truth. Except for
        the worker that has its task, which is in no row; unless it lets go of it before,
        the next object of the run has it as its holder."""
        if execution.holder is not None:
            self._held[execution.run_key] = execution
        if self._alive.get(execution.run_key) is execution:
            del self._alive[execution.run_key]
        self._remove(execution)

    def _remove(self, execution: Execution) -> None:
        if self._by_key.get(execution.run_key) is execution:
            del self._by_key[execution.run_key]
        state = execution.state
        if self._by_run_id.get(state.run_id) is execution:
            del self._by_run_id[state.run_id]
        if self._open_by_workflow_id.get(state.workflow_id) is execution:
            del self._open_by_workflow_id[state.workflow_id]

    def _evict(self) -> None:
        over = len(self._by_key) - self._capacity
        for execution in list(self._by_key.values())[: over + 64]:
            if over <= 0:
                return
            if not execution.pinned:
                self._remove(execution)
                over -= 1

    async def load(self, run_key: int) -> Execution | None:
        """The run, from memory or by folding its history; None if it does not exist."""
        execution = self.get(run_key)
        if execution is not None:
            return execution
        loading = self._loading.get(run_key)
        if loading is not None:
            return await asyncio.shield(loading)
        loading = asyncio.ensure_future(self._load(run_key))
        self._loading[run_key] = loading
        # Whoever asked may be gone when it fails.
        loading.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(loading)
        finally:
            if loading.done():
                self._loading.pop(run_key, None)
            else:
                loading.add_done_callback(lambda _: self._loading.pop(run_key, None))

    async def _load(self, run_key: int) -> Execution | None:
        row = await self._store.read_run(run_key)
        if row is None:
            return None
        self._measures.cache_misses += 1
        execution = await fold(self._store, row)
        self._pass_holder_on(execution)
        self.add(execution)
        return execution

    def _pass_holder_on(self, execution: Execution) -> None:
        dropped = self._held.pop(execution.run_key, None)
        if dropped is not None and dropped.holder is not None:
            holder, dropped.holder = dropped.holder, None
            execution.holder = holder
            holder.session.held[holder.dispatch] = execution


async def fold(store: Store, row: RunRow) -> Execution:
    """Rebuild a run from its events and its pending records."""
    state = ExecutionState()
    execution = Execution(row.run_key, row.shard, state)
    while True:
        slice_ = await store.read_history(
            row.run_key,
            after_event_id=state.last_event_id,
            limit=SLICE_EVENTS,
            max_bytes=SLICE_BYTES,
        )
        if not slice_:
            break
        execution.take_history(slice_)
        if state.last_event_id >= row.last_event_id:
            break
    assert state.last_event_id >= row.last_event_id, "the history ends too early"
    execution.committed_event_id = state.last_event_id
    if state.status is Status.RUNNING:
        for task in await store.read_tasks(row.run_key):
            if task.kind == WORKFLOW_TASK:
                state.task = decode_record(task.record, WorkflowTaskRecord)
                execution.stored_task = task.record
            elif task.kind == ACTIVITY_TASK:
                restore_activity(state, task.seq, decode_record(task.record, ActivityRecord))
    return execution

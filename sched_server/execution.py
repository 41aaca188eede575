"""A run in memory: its state, and what of it is not committed yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.codec import decode_event, encode_activity_record, encode_task_record
from sched_server.core import evolve
from sched_server.core.state import ActivityPhase, ExecutionState, TaskPhase
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, RunChange, TaskRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_server.store.port import EventRow
    from sched_server.workers import WorkerSession

TASK_KEY = (WORKFLOW_TASK, 0)


class PendingChange:
    """What was decided for a run since its last commit was taken."""

    __slots__ = ("actions", "attempts", "broken", "callbacks", "change", "linked", "touched")

    def __init__(self, change: RunChange) -> None:
        self.change = change
        self.touched: set[tuple[int, int]] = set()
        """Task rows (kind, seq) to write or delete."""
        self.actions: list[Callable[[], None]] = []
        """What to do once it is durable, in order."""
        self.callbacks: list[Callable[[Exception | None], None]] = []
        """Who waits, for the commit or its failure."""
        self.broken = False
        """Folding a decision failed midway: nothing of this may be written."""
        self.attempts: list[tuple[int, int]] = []
        """Attempts of activities that ended: the event's type, and microseconds."""
        self.linked: Execution | None = None
        """A run whose change must be in the same commit, all or none."""


class Holder:
    """The worker that has the run's workflow task."""

    __slots__ = ("deadline", "dispatch", "session")

    def __init__(self, session: WorkerSession, dispatch: int, deadline: float) -> None:
        self.session = session
        self.dispatch = dispatch
        self.deadline = deadline
        """Monotonic seconds."""


class Execution:
    """One run in the cache.

    `state` may be ahead of the database: `pending` is what no commit has taken
    yet, `in_flight` what the current one writes. `committed_event_id` is the
    last event that is durable.
    """

    __slots__ = (
        "__weakref__",
        "committed_event_id",
        "dropped",
        "holder",
        "in_flight",
        "pending",
        "recent",
        "run_key",
        "shard",
        "state",
        "stored_task",
    )

    def __init__(self, run_key: int, shard: int, state: ExecutionState) -> None:
        self.run_key = run_key
        self.shard = shard
        self.state = state
        self.committed_event_id = state.last_event_id
        self.recent: dict[int, bytes] = {}
        """Serialized events that no segment has seen (all events before the first one)."""
        self.pending: PendingChange | None = None
        self.in_flight: PendingChange | None = None
        self.holder: Holder | None = None
        self.stored_task: bytes | None = None
        """The workflow task's record as stored, to leave out equal rewrites."""
        self.dropped = False
        """A commit failed: this object is history, the database has the truth."""

    @property
    def pinned(self) -> bool:
        """May not leave the cache."""
        return self.pending is not None or self.in_flight is not None or self.holder is not None

    @property
    def settled(self) -> bool:
        """Everything that was decided is durable."""
        return self.pending is None and self.in_flight is None

    def whole_history(self) -> list[tuple[int, bytes]] | None:
        """The committed history by event id, if memory has all of it."""
        if self.state.base:
            return None
        last = self.committed_event_id
        events = [item for item in self.recent.items() if item[0] <= last]
        return events if len(events) == last else None

    def unseen_events(self) -> list[tuple[int, bytes]]:
        """The committed events for the code that no segment has seen, by id."""
        recent, last = self.recent, self.committed_event_id
        return [(i, recent[i]) for i in self.state.unseen if i <= last]

    def take_history(self, rows: Sequence[EventRow]) -> None:
        """Fold events that a store holds, the next ones of this run."""
        state, recent = self.state, self.recent
        for row in rows:
            evolve(state, decode_event(row.data))
            state.history_bytes += len(row.data)
            recent[row.event_id] = row.data
        if state.base:
            self.prune_recent()

    def prune_recent(self) -> None:
        """A segment was accepted: only what it has not seen is needed further."""
        unseen = self.state.unseen
        if unseen:
            self.recent = {event_id: self.recent[event_id] for event_id in unseen}
        else:
            self.recent.clear()

    def freeze(self) -> PendingChange:
        """Hand the pending change to a commit: net the touched task rows."""
        pending = self.pending
        assert pending is not None
        assert self.in_flight is None
        self.pending = None
        self.in_flight = pending
        state, change = self.state, pending.change
        change.last_event_id = state.last_event_id
        change.history_bytes = state.history_bytes
        change.build_id = state.build_id
        for key in pending.touched:
            if key == TASK_KEY:
                self._freeze_task(change)
            elif key[1] in state.activities:
                change.tasks_put[key] = self._activity_row(key[1])
            else:
                change.tasks_deleted.add(key)
        return pending

    def _freeze_task(self, change: RunChange) -> None:
        state = self.state
        task = state.task
        if task.phase is TaskPhase.IDLE:
            change.tasks_deleted.add(TASK_KEY)
            self.stored_task = None
            return
        record = encode_task_record(task)
        if record == self.stored_task:
            return
        self.stored_task = record
        change.tasks_put[TASK_KEY] = TaskRow(
            run_key=self.run_key,
            kind=WORKFLOW_TASK,
            seq=0,
            task_queue=state.task_queue,
            name=state.workflow_type,
            ready=task.phase is TaskPhase.SCHEDULED,
            assignee="",
            ready_since_us=task.ready_since_us,
            record=record,
        )

    def _activity_row(self, seq: int) -> TaskRow:
        activity = self.state.activities[seq]
        record = activity.record
        return TaskRow(
            run_key=self.run_key,
            kind=ACTIVITY_TASK,
            seq=seq,
            task_queue=activity.scheduled.task_queue,
            name=activity.scheduled.name,
            ready=record.phase is ActivityPhase.SCHEDULED,
            assignee=record.assignee,
            ready_since_us=record.ready_since_us,
            record=encode_activity_record(record),
        )

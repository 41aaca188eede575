"""What is durable, run by run, kept from the transactions that were applied.

It knows the port's changes only, no state of any engine.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from sched_server.codec import decode_event, decode_record
from sched_server.core import events as e
from sched_server.core.state import ActivityPhase, ActivityRecord
from sched_server.core.values import Status
from sched_server.store.port import ACTIVITY_TASK

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_server.core.events import Event
    from sched_server.store.port import CommitBatch, RunChange, RunRow, TaskRow


_REQUESTED = (e.SignalReceived, e.WorkflowCancelRequested, e.WorkflowTerminated)


class Run:
    def __init__(self, row: RunRow) -> None:
        self.key = row.run_key
        self.run_id = row.run_id
        self.workflow_id = row.workflow_id
        self.workflow = row.workflow_type
        self.status = row.status
        self.events: list[Event] = []
        self.tasks: dict[tuple[int, int], TaskRow] = {}
        self.timers: dict[tuple[int, int], int] = {}
        self.scheduled: dict[int, type] = {}
        self.pending: dict[int, Any] = {}
        """Activities and timers that are not resolved, as they were scheduled."""
        self.due: dict[int, int] = {}
        self.dispatches: dict[int, int] = {}
        """The newest durable dispatch of each activity."""
        self.assigned: dict[int, int] = {}
        """The last dispatch of each activity that its row names."""
        self.segments: set[int] = set()
        self.requests: set[str] = set()
        """Of signals, of the cancel request, and of the termination."""
        self.steps: set[str] = set()
        """The names that the steps in `workflows` give with their results."""

    def __repr__(self) -> str:
        return f"{self.workflow} {self.workflow_id} (run {self.run_id[:8]})"

    @property
    def closed(self) -> bool:
        return self.status != Status.RUNNING

    @property
    def status_name(self) -> str:
        return Status(self.status).name


class Truth:
    def __init__(self) -> None:
        self.by_key: dict[int, Run] = {}
        self.by_run_id: dict[str, Run] = {}
        self.by_workflow: dict[str, list[Run]] = defaultdict(list)
        self.transitions: Counter[str] = Counter()
        self._assigned: dict[int, Run] = {}

    def closed(self, run_id: str) -> bool:
        run = self.by_run_id.get(run_id)
        return run is not None and run.closed

    def running(self, dispatch: int) -> list[Run]:
        """Whose activity the dispatch has, by the rows, unless it goes on elsewhere."""
        run = self._assigned.get(dispatch)
        if run is None:
            return []
        for kind, seq in run.tasks:
            if kind == ACTIVITY_TASK and run.assigned.get(seq) == dispatch:
                record = decode_record(run.tasks[kind, seq].record, ActivityRecord)
                if record.phase is ActivityPhase.STARTED and not record.detached:
                    return [run]
        return []

    def take(
        self,
        batch: CommitBatch,
        applied: list[bool],
        tell: Callable[[Run, RunChange, list[Event]], None],
    ) -> None:
        for group, ok in zip(batch.groups, applied, strict=True):
            for change in group.changes if ok else ():
                run, events = self.take_change(change)
                tell(run, change, events)

    def take_change(self, change: RunChange) -> tuple[Run, list[Event]]:
        created = change.created
        if created is not None:
            run = Run(created)
            self.by_key[run.key] = self.by_run_id[run.run_id] = run
            self.by_workflow[run.workflow_id].append(run)
        run = self.by_key[change.run_key]
        events = [decode_event(row.data) for row in change.events]
        run.events += events
        for event in events:
            self.transitions[type(event.attributes).__name__] += 1
            if isinstance(event.attributes, e.WorkflowTaskCompleted):
                run.segments.add(event.attributes.segment_id)
            elif isinstance(event.attributes, _REQUESTED):
                run.requests.add(event.attributes.request_id)
            elif isinstance(event.attributes, e.StepCompleted):
                run.steps.add(json.loads(event.attributes.result.data)[0])
        if change.closed_status:
            run.status = change.closed_status
        run.tasks.update(change.tasks_put)
        for (kind, seq), row in change.tasks_put.items():
            if kind == ACTIVITY_TASK and row.assignee:
                dispatch = decode_record(row.record, ActivityRecord).dispatch
                run.assigned[seq] = dispatch
                self._assigned[dispatch] = run
        run.timers.update(change.timers_put)
        for key in change.tasks_deleted:
            run.tasks.pop(key, None)
        for key in change.timers_deleted:
            run.timers.pop(key, None)
        return run, events

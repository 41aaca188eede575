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
    from sched_server.core.values import HistoryOrigin
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
        self.signals: list[Any] = []
        self.details = ""
        """As the row has them."""
        self.said = ""
        """As the events leave them."""
        self.activities_done = 0
        self.start_request = ""
        """The id of the request that began it."""
        self.origin: HistoryOrigin | None = None
        """Of a copy: whose events its first ones are."""
        self.successor = ""
        """The id of the run that goes on instead."""

    def __repr__(self) -> str:
        return f"{self.workflow} {self.workflow_id} (run {self.run_id[:8]})"

    @property
    def closed(self) -> bool:
        return self.status != Status.RUNNING

    @property
    def copied(self) -> int:
        """So many of its events were those of another run before."""
        return 0 if self.origin is None else self.origin.event_id

    @property
    def closed_by_code(self) -> bool:
        return self.status in (Status.COMPLETED, Status.FAILED, Status.CANCELED)

    def knows(self, fact: str) -> bool:
        """Whether it is durable: `a0` of the first activity, `s0` of a step, `g7`
        of a signal."""
        kind, number = fact[0], fact[1:]
        if kind == "s":
            return fact in self.steps
        if kind == "a":
            return self.activities_done > int(number)
        return kind == "g" and int(number) in self.signals

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

    def successor(self, run_id: str) -> str:
        """The run that goes on instead of one that was reset; empty if none does."""
        run = self.by_run_id.get(run_id)
        return run.successor if run is not None else ""

    def last(self, run_id: str) -> Run | None:
        """The run, or the last of those that went on instead."""
        run = self.by_run_id.get(run_id)
        while run is not None and run.successor:
            run = self.by_run_id.get(run.successor)
        return run

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
            _note(run, event.attributes)
        if change.closed_status:
            run.status = change.closed_status
        if change.details is not None:
            run.details = change.details
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


def _note(run: Run, attributes: Any) -> None:
    match attributes:
        case e.WorkflowStarted():
            run.start_request, run.origin = attributes.request_id, attributes.origin
        case e.WorkflowTaskCompleted():
            run.segments.add(attributes.segment_id)
            if attributes.details is not None:
                run.said = attributes.details
        case e.StepCompleted():
            run.steps.add(json.loads(attributes.result.data)[0])
        case e.ActivityCompleted():
            run.activities_done += 1
        case e.WorkflowTerminated():
            run.successor = attributes.new_run_id
    if isinstance(attributes, _REQUESTED):
        run.requests.add(attributes.request_id)
    if isinstance(attributes, e.SignalReceived):
        run.signals.append(json.loads(attributes.input[0].data))

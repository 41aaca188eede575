"""A decision folded into a run and into the change that a commit will write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.codec import encode_event
from sched_server.core import events as e
from sched_server.core import evolve, put_record
from sched_server.core.decision import PutActivityRecord
from sched_server.core.state import ActivityPhase
from sched_server.execution import TASK_KEY
from sched_server.store.port import ACTIVITY_TASK, EventRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_server.core.decision import Decision
    from sched_server.execution import Execution, PendingChange

_ENDS_ACTIVITY = frozenset(
    {e.ActivityCompleted, e.ActivityFailed, e.ActivityTimedOut, e.ActivityCanceled}
)
_CHANGES_ACTIVITY = _ENDS_ACTIVITY | {e.ActivityScheduled}


def fold(execution: Execution, pending: PendingChange, decision: Decision, now: int) -> None:
    """Fold events and records into the state; note the rows that they touch.

    Each event is serialized here, once for the store, workers and clients.
    """
    state = execution.state
    for attributes in decision.events:
        _record(execution, pending, attributes, now)
    for record in decision.records:
        if type(record) is PutActivityRecord:
            after = record.record
            if after.phase is ActivityPhase.BACKOFF and not after.lost:
                _note_attempt(execution, pending, record.seq, e.ActivityRetryScheduled, now)
        put_record(state, record)
        if type(record) is PutActivityRecord:
            pending.touched.add((ACTIVITY_TASK, record.seq))
        else:
            pending.touched.add(TASK_KEY)


def _note_attempt(
    execution: Execution, pending: PendingChange, seq: int, kind: type, now: int
) -> None:
    """An attempt of an activity ends with this, if one is running."""
    record = execution.state.activities[seq].record
    if record.phase is ActivityPhase.STARTED:
        pending.attempts.append((e.EVENT_TYPES[kind], now - record.started_us))


def _record(
    execution: Execution, pending: PendingChange, attributes: e.Attributes, now: int
) -> None:
    state, kind = execution.state, type(attributes)
    if kind in _ENDS_ACTIVITY:
        _note_attempt(execution, pending, attributes.seq, kind, now)  # type: ignore[union-attr]
    if kind in e.TERMINAL:
        pending.touched.add(TASK_KEY)
        pending.touched.update((ACTIVITY_TASK, seq) for seq in state.activities)
    event = e.Event(state.last_event_id + 1, now, attributes)
    evolve(state, event)
    data = encode_event(event)
    state.history_bytes += len(data)
    pending.change.events.append(EventRow(event.event_id, e.EVENT_TYPES[kind], now, data))
    if kind is e.WorkflowTaskCompleted:
        pending.touched.add(TASK_KEY)
        if attributes.details is not None:  # type: ignore[union-attr]
            pending.change.details = state.details
        execution.prune_recent()
    elif kind in _CHANGES_ACTIVITY:
        pending.touched.add((ACTIVITY_TASK, attributes.seq))  # type: ignore[union-attr]
    if not state.base or (state.unseen and state.unseen[-1] == event.event_id):
        execution.recent[event.event_id] = data
    if kind in e.TERMINAL:
        pending.change.closed_status = int(state.status)
        pending.change.closed_us = now


def copy_events(execution: Execution, pending: PendingChange, events: Sequence[EventRow]) -> None:
    """Make the first events of another run the first ones of this one."""
    execution.take_history(events)
    pending.change.events += events
    pending.touched.update((ACTIVITY_TASK, seq) for seq in execution.state.activities)
    if execution.state.details:
        pending.change.details = execution.state.details

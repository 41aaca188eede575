"""A run that begins with the first events of another one.

    source   1 2 3 4 5 6 7 …                cut at 4
    copy     1'2 3 4 | signals of 5…        then its own events

Event 1' names the copy's own ids. What was pending at the cut is pending again:
activities are scheduled anew, with all their attempts and time limits; timers
keep their due times, so that a date that has passed is not waited for again.

The cut never lies inside a segment, because code produces a segment as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from sched_server.core.decision import Decision, DispatchActivity, Rejection, SetTimer
from sched_server.core.values import TimerKind

from .wake import open_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_server.core.inputs import ResumeCopy
    from sched_server.core.limits import Limits
    from sched_server.core.state import ExecutionState

# What follows a WorkflowTaskCompleted as part of its segment.
IN_SEGMENT: frozenset[int] = frozenset(
    e.EVENT_TYPES[kind]
    for kind in (
        e.ActivityScheduled,
        e.ActivityCancelRequested,
        e.TimerScheduled,
        e.TimerCanceled,
        e.StepCompleted,
        e.StepFailed,
        e.MarkerRecorded,
        e.WorkflowCompleted,
        e.WorkflowFailed,
        e.WorkflowCanceled,
    )
)
_TASK_COMPLETED = e.EVENT_TYPES[e.WorkflowTaskCompleted]
_ENDS = frozenset(e.EVENT_TYPES[kind] for kind in e.TERMINAL)


def cut(types: Sequence[int], event_id: int) -> int:
    """The last event to keep, when everything behind `event_id` is to go.

    `types` are those of the whole history, from event 1. Raises Rejection.
    """
    if not 1 <= event_id <= len(types):
        raise Rejection(
            "INVALID_ARGUMENT",
            f"event {event_id} is not in the history, which has events 1 to {len(types)}",
        )
    kept = event_id
    if types[kept - 1] in _ENDS:
        kept -= 1
    if kept < len(types) and types[kept] in IN_SEGMENT:  # the segment goes on behind it
        while types[kept - 1] != _TASK_COMPLETED:
            kept -= 1
        kept -= 1
    return kept


def before_first_task(types: Sequence[int]) -> int:
    """The last event before the code ran for the first time."""
    return next((i for i, kind in enumerate(types) if kind == _TASK_COMPLETED), len(types))


def before_last_task(types: Sequence[int]) -> int:
    """The last event before the code ran for the last time."""
    last = max((i for i, kind in enumerate(types) if kind == _TASK_COMPLETED), default=None)
    return before_first_task(types) if last is None else last


def resume(state: ExecutionState, request: ResumeCopy, now: int, limits: Limits) -> Decision:  # noqa: ARG001 - one signature for all
    decision = Decision()
    decision.events.extend(request.signals)
    effects = decision.effects
    if state.execution_deadline_us:
        effects.append(SetTimer(TimerKind.EXECUTION_TIMEOUT, 0, state.execution_deadline_us))
    for seq, timer in state.timers.items():
        effects.append(SetTimer(TimerKind.USER, seq, timer.due_us))
    for seq, activity in state.activities.items():
        scheduled, since = activity.scheduled, activity.scheduled_us
        if scheduled.schedule_to_close_us:
            due = since + scheduled.schedule_to_close_us
            effects.append(SetTimer(TimerKind.SCHEDULE_TO_CLOSE, seq, due))
        if scheduled.schedule_to_start_us:
            due = since + scheduled.schedule_to_start_us
            effects.append(SetTimer(TimerKind.SCHEDULE_TO_START, seq, due))
        effects.append(DispatchActivity(seq))
    open_task(decision, now)
    return decision

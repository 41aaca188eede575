"""`decide`: what an input to a run leads to. Pure: nothing is changed, nothing
is read but the arguments.

The caller folds `Decision.events` with `evolve`, then applies
`Decision.records` with `put_record`, commits, and only then performs the
effects and answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import inputs as i
from .deciders import activity, copy, run, segment, task, timer
from .limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from .decision import Decision
    from .inputs import Input
    from .state import ExecutionState


def decide(
    state: ExecutionState, request: Input, now: int, limits: Limits = DEFAULT_LIMITS
) -> Decision:
    """Decide `request` at `now` (µs; the caller makes sure that it is not
    earlier than the state's last event).

    Raises Rejection when the request cannot be granted.
    """
    return _DECIDERS[type(request)](state, request, now, limits)


_DECIDERS: dict[type, Callable[[ExecutionState, Any, int, Limits], Decision]] = {
    i.StartWorkflow: run.start,
    i.SignalWorkflow: run.signal,
    i.CancelWorkflow: run.cancel,
    i.TerminateWorkflow: run.terminate,
    i.ResumeCopy: copy.resume,
    i.CompleteSegment: segment.complete,
    i.FailWorkflowTask: task.fail,
    i.LoseWorkflowTask: task.lose,
    i.HastenWorkflowTask: task.hasten,
    i.StartActivity: activity.start_activity,
    i.ReportActivity: activity.report,
    i.HeartbeatActivity: activity.heartbeat,
    i.ReleaseActivity: activity.release,
    i.FireTimer: timer.fire,
}

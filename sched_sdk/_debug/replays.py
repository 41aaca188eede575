"""One history over one workflow function."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sched_sdk._debug.comparison import Comparison
from sched_sdk._debug.explanation import explain
from sched_sdk._debug.model import Outcome, Replay
from sched_sdk._debug.payloads import check_encodings
from sched_sdk._replay.replayer import replay_history

if TYPE_CHECKING:
    from sched_sdk._capture import CapturedHistory
    from sched_sdk._debug.model import Divergence
    from sched_sdk._definitions import WorkflowDefinition

__all__ = ["replay_capture"]


def replay_capture(definition: WorkflowDefinition, captured: CapturedHistory) -> Replay:
    """Run the workflow function over a history, complete or not.

    Nothing is done but calling the function: activities and steps are answered
    from the history. Raises PayloadError for a payload that cannot be read,
    SchedError for an event that this version does not know.
    """
    events = captured.events
    check_encodings(events)
    comparison = Comparison(captured.redacted)
    started = time.perf_counter()
    result = replay_history(definition, events, matchers=comparison.matchers())
    seconds = time.perf_counter() - started
    divergence: Divergence | None = None
    outcome = Outcome.AGREES
    if result.divergence is not None:
        divergence = explain(definition, events, result.divergence, result.segments)
        outcome = Outcome.DIVERGES if divergence.raised is None else Outcome.RAISES
    return Replay(
        workflow_id=captured.workflow_id,
        run_id=captured.run_id,
        workflow_type=captured.workflow_type,
        events=len(events),
        segments=result.segments,
        seconds=seconds,
        closed=result.closed,
        redacted=bool(captured.redacted),
        outcome=outcome,
        divergence=divergence,
        differences=tuple(comparison.differences),
        difference_count=comparison.count,
        not_comparable=comparison.not_comparable,
    )

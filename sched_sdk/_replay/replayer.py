"""A whole history at once: does the code still do what it did?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_sdk._failures import exception_from_failure
from sched_sdk._replay.matching import MATCHERS
from sched_sdk._replay.run import WorkflowRun
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.matching import Matcher
    from sched_sdk.errors import FailureError

__all__ = ["ReplayResult", "replay_history"]

_CLOSED_BY_CODE = frozenset(
    (
        history_pb2.EVENT_TYPE_WORKFLOW_COMPLETED,
        history_pb2.EVENT_TYPE_WORKFLOW_FAILED,
        history_pb2.EVENT_TYPE_WORKFLOW_CANCELED,
    )
)


@dataclass(frozen=True, slots=True)
class ReplayResult:
    events: int
    segments: int
    """How many segments were repeated without a difference."""
    closed: bool
    """The history ends with a closing command of the code."""
    divergence: NonDeterminismError | None
    """Where code and history part; None: they agree."""
    failure: FailureError | None
    """How the workflow failed, if it did; that is not a divergence."""


def replay_history(
    definition: WorkflowDefinition,
    events: Sequence[history_pb2.HistoryEvent],
    *,
    matchers: Mapping[int, Matcher] = MATCHERS,
) -> ReplayResult:
    """Run the workflow function over a history from its first event.

    The history may be complete or that of a running workflow. Of a complete
    one the code must produce every command and none besides. `matchers` may
    look at more than replay itself does.
    """
    run = WorkflowRun(definition, matchers=matchers)
    divergence: NonDeterminismError | None = None
    try:
        run.replay(events)
        run.end_replay()
    except NonDeterminismError as error:
        divergence = error
    finally:
        segments = run.segments
        run.evict()
    last = events[-1] if events else history_pb2.HistoryEvent()
    failed = last.type == history_pb2.EVENT_TYPE_WORKFLOW_FAILED
    return ReplayResult(
        events=len(events),
        segments=segments,
        closed=last.type in _CLOSED_BY_CODE,
        divergence=divergence,
        failure=exception_from_failure(last.workflow_failed.failure) if failed else None,
    )

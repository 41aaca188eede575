"""How fast the cluster works, from what it says of itself once in a while."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from sched_sdk._client.models import ClusterStatus, LatencyTotal, WorkflowCount

__all__ = ["Rates", "Sample"]

_KEPT = 240


@dataclass(frozen=True, slots=True)
class Sample:
    """The cluster at one time."""

    time: datetime
    started: int
    """Runs there are, open and closed: the growth is how many were started."""
    closed: int
    open: int
    waiting: int
    """Tasks that wait for a worker."""
    running: int
    """Activities and workflow tasks that workers have in hand."""
    commit: LatencyTotal | None
    """How long batches took to become durable."""
    dispatch: LatencyTotal | None
    """How long what was to be sent to a worker waited for its stream."""


@dataclass(slots=True)
class Rates:
    """The last samples."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_KEPT))

    def take(self, time: datetime, status: ClusterStatus, count: WorkflowCount) -> None:
        """What was just read. A second look at one instant replaces the first."""
        if self.samples and self.samples[-1].time == time:
            self.samples.pop()
        running = count.by_status.get("RUNNING", 0)  # type: ignore[call-overload]  # a StrEnum's value
        queues, workers = status.task_queues, status.workers
        self.samples.append(
            Sample(
                time=time,
                started=count.total,
                closed=count.total - running,
                open=running,
                waiting=sum(q.pending_workflow_tasks + q.pending_activity_tasks for q in queues),
                running=sum(w.workflow_tasks_running + w.activities_running for w in workers),
                commit=status.commit_latency,
                dispatch=status.dispatch_latency,
            )
        )

    def per_second(self, name: str) -> list[float]:
        """The growth of a counter between each two samples. Runs that retention
        deleted meanwhile do not make it negative."""
        return [
            max(0.0, getattr(after, name) - getattr(before, name))
            / max((after.time - before.time).total_seconds(), 0.001)
            for before, after in pairwise(self.samples)
        ]

    def mean_ms(self, name: str) -> list[float]:
        """The mean of a latency between each two samples; 0 where nothing was measured,
        or where another engine leads."""
        return [
            _mean_ms(getattr(before, name), getattr(after, name))
            for before, after in pairwise(self.samples)
        ]

    def values(self, name: str) -> list[float]:
        """A gauge at each sample."""
        return [float(getattr(sample, name)) for sample in self.samples]


def _mean_ms(before: LatencyTotal | None, after: LatencyTotal | None) -> float:
    if before is None or after is None or after.count <= before.count:
        return 0.0
    mean = (after.total - before.total) / (after.count - before.count)
    return max(0.0, mean.total_seconds() * 1000)

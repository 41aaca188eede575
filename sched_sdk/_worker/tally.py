"""What a worker counts while it runs: plain numbers of the event loop.

They cost next to nothing, so they are always counted; `metrics` makes them
readable for Prometheus where somebody wants that.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk.api.v1.worker_service_pb2 import ActivityReport

__all__ = ["Load", "Tally", "status_of"]

_STATUSES = {
    "result": "completed",
    "failure": "failed",
    "canceled": "canceled",
    "detached": "detached",
}


def status_of(report: ActivityReport) -> str:
    """How an attempt of an activity ended, in a word."""
    return _STATUSES[report.WhichOneof("outcome") or "failure"]


class Load(NamedTuple):
    """What a worker has in hand, and how it is."""

    workflow_tasks: int = 0
    activities: int = 0
    cached_runs: int = 0
    connected: bool = False
    blocked_s: float = 0.0
    """For how long, in all, its event loop could not take its turn."""


class Tally:
    """One per worker; it outlives sessions and connections."""

    def __init__(self) -> None:
        self.activities: Counter[str] = Counter()
        """Attempts that ended here, by status."""
        self.workflow_tasks: Counter[str] = Counter()
        """Workflow tasks that ended here, by outcome."""
        self.replays = 0
        """Runs that were rebuilt from their history."""
        self.evictions = 0
        """Runs that had to leave the cache to make room."""
        self.reconnects = 0
        self.observe_duration: Callable[[float], None] | None = None
        """Hears how many seconds each attempt of an activity took."""

    def activity_ended(self, report: ActivityReport, seconds: float) -> None:
        self.activities[status_of(report)] += 1
        if self.observe_duration is not None:
            self.observe_duration(seconds)

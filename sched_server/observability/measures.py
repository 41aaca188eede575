"""What an engine process counts while it works.

Plain numbers, touched once per commit batch where that is possible and never
locked: they belong to the event loop. What can be looked up (slots, backlog,
role) is not counted here but read when somebody asks; see `collector`. They
outlive the terms of the process, so they never go back.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sched_server.core.events import EVENT_TYPES
from sched_server.core.values import Status
from sched_server.observability.distribution import Distribution
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK

if TYPE_CHECKING:
    from sched_server.execution import Execution

# Seconds. From what an idle engine needs to what somebody has to be woken for.
FAST_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
WAIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
WORK_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600)
RUNS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Measures:
    """One per engine process."""

    def __init__(self) -> None:
        self.workflows_started = 0
        self.workflows_closed = [0] * (max(Status) + 1)
        """By status."""
        self.transitions = [0] * (max(EVENT_TYPES.values()) + 1)
        """Events written, by their type's number."""
        self.attempts: Counter[int] = Counter()
        """Attempts of activities that ended, by the type of the event that says so."""
        self.attempt_seconds = Distribution(WORK_S)
        self.poll_seconds = {
            WORKFLOW_TASK: Distribution(WAIT_S),
            ACTIVITY_TASK: Distribution(WAIT_S),
        }
        """From ready to handed to a worker, by kind of task."""
        self.dispatch_seconds = Distribution(FAST_S)
        self.batch_runs = Distribution(RUNS)
        self.commit_seconds = Distribution(FAST_S)
        self.commit_failures: Counter[str] = Counter()
        self.timer_lateness = Distribution(WAIT_S)
        self.cache_hits = 0
        self.cache_misses = 0
        self.task_failures: Counter[int] = Counter()
        """By cause, a number of the API's."""
        self.errors: Counter[int] = Counter()
        """Answers that were refusals or errors, by reason, a number of the API's."""

    def committed(self, executions: list[Execution], seconds: float) -> None:
        """A batch is durable; what it changed is still `in_flight`."""
        self.batch_runs.observe(len(executions))
        self.commit_seconds.observe(seconds)
        transitions = self.transitions
        for execution in executions:
            pending = execution.in_flight
            assert pending is not None
            change = pending.change
            for event in change.events:
                transitions[event.type] += 1
            if change.created is not None:
                self.workflows_started += 1
            if change.closed_status:
                self.workflows_closed[change.closed_status] += 1
            for event_type, duration_us in pending.attempts:
                self.attempts[event_type] += 1
                self.attempt_seconds.observe(duration_us / 1_000_000)

    def handed_out(self, kind: int, ready_since_us: int, now_us: int) -> None:
        """A task was given to a worker."""
        # Another leader's clock may have been ahead of ours.
        self.poll_seconds[kind].observe(max(0, now_us - ready_since_us) / 1_000_000)

"""Runs workflow code a second time, at once, and says where it did something else.

Code that reads a clock, draws a random number or looks at a variable of its
module works the first time. It breaks when the history is replayed, days later,
after a restart. So, while code is being written, each task is followed by a
replay of the whole history in a fresh instance; what both asked for is compared,
payloads too. Nothing is executed twice: activities and steps are answered from
the history.

A replay costs as much as the history is long. Up to `EVERY_TASK_EVENTS` events
it follows each task; from there on each time the history has grown by a tenth,
and when the run closes. So all replays of a run together read no event more than
about eleven times, however long the history becomes.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal, TypeAlias

from sched_sdk._debug.comparison import Comparison
from sched_sdk._debug.suspects import Suspects
from sched_sdk._replay.journal import Journal
from sched_sdk._replay.run import WorkflowRun
from sched_sdk._worker.findings import Finding, of_difference, of_divergence
from sched_sdk._worker.hush import hushed
from sched_sdk._worker.past import Past, events_of_segment
from sched_sdk.errors import NonDeterminismError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._activations import ActivationGuard
    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk.api.v1.history_pb2 import HistoryEvent
    from sched_sdk.api.v1.worker_service_pb2 import WorkflowSegment

__all__ = ["EVERY_TASK_EVENTS", "CheckMode", "DeterminismChecks", "SecondRuns"]

CheckMode: TypeAlias = Literal["warn", "error"]

EVERY_TASK_EVENTS = 500
"""Histories up to this length are replayed after every task."""

_GROWTH = 10
_CLOSING = frozenset(("complete_workflow", "fail_workflow", "cancel_workflow"))

logger = logging.getLogger("sched.worker")


class DeterminismChecks:
    """All of a worker's. What was said of a place is not said again."""

    def __init__(self, mode: CheckMode, guard: ActivationGuard) -> None:
        self.mode: CheckMode = mode
        self.guard = guard
        self.said: set[tuple[str, str, str]] = set()

    def follow(self, definition: WorkflowDefinition, workflow_id: str) -> SecondRuns:
        """The checks of one cached run."""
        return SecondRuns(self, definition, workflow_id)


class SecondRuns:
    def __init__(
        self, checks: DeterminismChecks, definition: WorkflowDefinition, workflow_id: str
    ) -> None:
        self._checks = checks
        self._definition = definition
        self._workflow_id = workflow_id
        self._past = Past()
        self._next_at = 0
        self.add_history = self._past.add_history
        self.add_unseen = self._past.add_unseen

    def refuses(self, segment: WorkflowSegment) -> NonDeterminismError | None:
        """In the mode `error`, before the segment is sent: why it must not be."""
        if self._checks.mode != "error" or not self._is_due(segment):
            return None
        events = self._past.events()
        found = self._look([*events, *events_of_segment(segment, self._past.next_id, 0)])
        return NonDeterminismError(found[0].text(self._title)) if found else None

    def committed(self, segment: WorkflowSegment, event_id: int, time_us: int) -> None:
        """The segment is durable."""
        self._past.add_segment(events_of_segment(segment, event_id, time_us))
        if not self._is_due(segment):
            return
        self._next_at = len(self._past) + len(self._past) // _GROWTH
        if self._checks.mode == "warn":
            for finding in self._look(self._past.events()):
                self._warn(finding)

    def _warn(self, finding: Finding) -> None:
        self._checks.said.add(finding.key)
        logger.warning(
            "%s",
            finding.text(self._title),
            extra={"workflow_id": self._workflow_id, "workflow_name": self._definition.name},
        )

    @property
    def _title(self) -> str:
        return f"{self._definition.name} {self._workflow_id}"

    def _is_due(self, segment: WorkflowSegment) -> bool:
        length = len(self._past)
        if length <= EVERY_TASK_EVENTS or length >= self._next_at:
            return True
        commands = segment.commands
        return bool(commands) and commands[-1].WhichOneof("command") in _CLOSING

    def _look(self, events: Sequence[HistoryEvent]) -> list[Finding]:
        """What differs, and was not said before: one finding for each place."""
        findings = self._replay(events, Journal())
        said = self._checks.said if self._checks.mode == "warn" else ()
        news = {found.key: found for found in reversed(findings) if found.key not in said}
        if news:
            journal = Journal()
            with Suspects(journal) as suspects:
                self._replay(events, journal)
            for finding in news.values():
                finding.suspect = suspects.before(finding.seq)
        return sorted(news.values(), key=lambda found: found.event_id)

    def _replay(self, events: Sequence[HistoryEvent], journal: Journal) -> list[Finding]:
        comparison = Comparison({})
        run = WorkflowRun(self._definition, journal=journal, matchers=comparison.matchers())

        def replay() -> None:
            run.replay(events)
            run.end_replay()

        with hushed():
            error, _ = self._checks.guard.run(self._title, replay)
            self._checks.guard.run(self._title, run.evict)
        name = self._definition.name
        findings = [of_difference(name, each, events) for each in comparison.differences]
        if isinstance(error, NonDeterminismError):
            findings.append(of_divergence(name, error))
        elif isinstance(error, KeyboardInterrupt | SystemExit):
            raise error
        elif error is not None:
            logger.warning("workflow %s could not be run a second time: %s", self._title, error)
        return findings

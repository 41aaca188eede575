"""What came of many replays, in a bounded space: counts by workflow type, and of
those that part the first of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sched_cli.errors import EXIT_FAILED, EXIT_USAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_cli.replaying import Report
    from sched_sdk._debug import Divergence, Replay

_KEPT_GROUPS = 100
_KEPT_IDS = 10
_KEPT_PROBLEMS = 50
_KEPT_DIFFERING = 20


@dataclass
class Tally:
    """How the replays of one workflow type ended."""

    replayed: int = 0
    agreed: int = 0
    diverged: int = 0
    raised: int = 0
    differed: int = 0
    """In arguments; they may agree nevertheless."""
    unreadable: int = 0
    events: int = 0

    def add(self, replay: Replay) -> None:
        from sched_sdk._debug import Outcome

        self.replayed += 1
        self.agreed += replay.outcome is Outcome.AGREES
        self.diverged += replay.outcome is Outcome.DIVERGES
        self.raised += replay.outcome is Outcome.RAISES
        self.differed += bool(replay.difference_count)
        self.events += replay.events


@dataclass
class Group:
    """Histories that part from the code at the same place in the same way."""

    first: Report
    replay: Replay
    divergence: Divergence
    """Of the first."""
    others: list[str] = field(default_factory=list)
    """The ids of the next ones, some of them."""
    count: int = 1


@dataclass
class Reports:
    """What came of all of them."""

    strict: bool
    """Arguments that differ are errors."""
    listener: Callable[[Report], None] | None = None
    """Hears each report of a history of the app."""
    done: int = 0
    types: dict[str, Tally] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    """Histories of workflow types that the app does not define."""
    problems: list[str] = field(default_factory=list)
    """Why some could not be replayed, the first of them."""
    problem_count: int = 0
    differing: list[Replay] = field(default_factory=list)
    """Replays that agree but for arguments, the first of them."""
    ungrouped: int = 0
    """Histories that part in yet another way than those of all groups."""
    _groups: dict[tuple[object, ...], Group] = field(default_factory=dict)

    def skip(self, workflow_type: str) -> None:
        """A history is of a type that the app does not define."""
        self.skipped[workflow_type] += 1

    def add(self, report: Report) -> None:
        self.done += 1
        replay = report.replay
        if replay is None and not report.problem:
            self.skip(report.workflow_type)
            return
        if replay is None:
            self._add_problem(report)
        else:
            self._tally(report.workflow_type).add(replay)
            if replay.divergence is not None:
                self._add_divergence(report, replay, replay.divergence)
            elif (replay.differences or replay.not_comparable) and (
                len(self.differing) < _KEPT_DIFFERING
            ):
                self.differing.append(replay)
        if self.listener is not None:
            self.listener(report)

    @property
    def is_empty(self) -> bool:
        """There was no history of this app."""
        return not self.types and not self.problem_count

    @property
    def total(self) -> Tally:
        """All types together."""
        every = self.types.values()
        return Tally(
            **{name: sum(getattr(one, name) for one in every) for name in Tally.__match_args__}
        )

    @property
    def groups(self) -> list[Group]:
        """The largest first."""
        return sorted(self._groups.values(), key=lambda group: group.count, reverse=True)

    @property
    def exit_code(self) -> int:
        total = self.total
        if total.diverged or total.raised or (self.strict and total.differed):
            return EXIT_FAILED
        return EXIT_USAGE if self.problem_count else 0

    def _tally(self, workflow_type: str) -> Tally:
        return self.types.setdefault(workflow_type, Tally())

    def _add_problem(self, report: Report) -> None:
        self.problem_count += 1
        if report.workflow_type:
            self._tally(report.workflow_type).unreadable += 1
        if len(self.problems) < _KEPT_PROBLEMS:
            self.problems.append(report.problem)

    def _add_divergence(self, report: Report, replay: Replay, divergence: Divergence) -> None:
        key = (report.workflow_type, *_parting(divergence))
        group = self._groups.get(key)
        if group is not None:
            group.count += 1
            if len(group.others) < _KEPT_IDS:
                group.others.append(report.workflow_id)
        elif len(self._groups) < _KEPT_GROUPS:
            self._groups[key] = Group(report, replay, divergence)
        else:
            self.ungrouped += 1


def _parting(divergence: Divergence) -> tuple[object, ...]:
    recorded, current = divergence.recorded, divergence.current
    # The message of an exception often names the workflow.
    does = divergence.raised.type if divergence.raised else current.what
    return (recorded.what, recorded.call_site, does, current.call_site)

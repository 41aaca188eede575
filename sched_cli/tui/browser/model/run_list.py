"""The runs that a list knows, kept true by pages that are read again.

The engine lists newest first. A page says everything about its window of start
times: what is in it is there, what the list knows of that window and the page
does not have is gone. So the list is told about pages of any part of it: the
newest one, for runs that have begun; the one in sight, for what has changed;
the next older one, when somebody scrolls to the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sched_sdk._client.models import WorkflowInfo

__all__ = ["SORTS", "RunKey", "RunList", "key_of"]


class RunKey(NamedTuple):
    """Names a run."""

    workflow_id: str
    run_id: str


def key_of(run: WorkflowInfo) -> RunKey:
    return RunKey(run.workflow_id, run.run_id)


def _length(run: WorkflowInfo, now: datetime) -> float:
    return ((run.close_time or now) - run.start_time).total_seconds()


SORTS: dict[str, Callable[[WorkflowInfo, datetime], object] | None] = {
    "newest": None,
    "oldest": lambda run, _: run.start_time,
    "longest": lambda run, now: -_length(run, now),
    "most events": lambda run, _: -run.history_length,
    "id": lambda run, _: run.workflow_id,
    "type": lambda run, _: (run.workflow_type, run.workflow_id),
    "status": lambda run, _: (run.status.value, run.workflow_id),
}
"""How lists may be sorted. All but the first need everything that is listed."""


@dataclass(slots=True)
class RunList:
    """Runs of one filter."""

    complete: bool = False
    """The oldest run is in the list."""
    say_something: bool = False
    """A run that is listed has details, or one had: columns do not come and go."""
    marked: set[RunKey] = field(default_factory=set)
    _newest_first: list[WorkflowInfo] = field(default_factory=list)
    _shown: list[WorkflowInfo] = field(default_factory=list)
    _positions: dict[RunKey, int] = field(default_factory=dict)
    _sort: str = "newest"

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, position: int) -> WorkflowInfo:
        return self._shown[position]

    def position(self, key: RunKey | None) -> int | None:
        """Where a run stands; None when it is not in the list."""
        return None if key is None else self._positions.get(key)

    @property
    def sort(self) -> str:
        """One of SORTS."""
        return self._sort

    @property
    def oldest(self) -> WorkflowInfo | None:
        """Behind which the next page begins."""
        return self._newest_first[-1] if self._newest_first else None

    def overlaps(self, page: Sequence[WorkflowInfo]) -> bool:
        """Whether nothing can be missing between a newest page and the list."""
        if not self._newest_first or not page:
            return True
        return page[-1].start_time <= self._newest_first[0].start_time

    def take_page(
        self,
        page: Sequence[WorkflowInfo],
        *,
        before: datetime | None,
        last: bool,
        now: datetime,
    ) -> None:
        """A page that was just read: of runs started before `before` (None: of the
        newest); `last` when nothing older is there."""
        keys = {key_of(run) for run in page}
        self.say_something = self.say_something or any(run.details for run in page)
        older: list[WorkflowInfo] = []
        if not last and page:
            end = page[-1].start_time
            # Runs that began in the same instant may stand on the next page.
            older = [
                run
                for run in self._newest_first
                if run.start_time <= end and key_of(run) not in keys
            ]
        newer = (
            []
            if before is None
            else [
                run
                for run in self._newest_first
                if run.start_time >= before and key_of(run) not in keys
            ]
        )
        self._newest_first = [*newer, *page, *older]
        self.complete = last or self.complete
        self._arrange(now)

    def sort_by(self, sort: str, now: datetime) -> None:
        """Show in another order."""
        self._sort = sort
        self._arrange(now)

    def restart(self) -> None:
        """Forget everything but the order: another filter, or too long away."""
        self._newest_first = []
        self.complete = False
        self.marked.clear()
        self._shown, self._positions = [], {}

    def _arrange(self, now: datetime) -> None:
        order = SORTS[self._sort]
        runs = self._newest_first
        self._shown = runs if order is None else sorted(runs, key=lambda run: order(run, now))  # type: ignore[arg-type,return-value]  # each order is of one comparable type
        self._positions = {key_of(run): position for position, run in enumerate(self._shown)}
        self.marked &= self._positions.keys()

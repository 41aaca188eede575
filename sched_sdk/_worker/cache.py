"""The runs that a worker keeps in memory between their tasks."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_sdk._worker.run_driver import RunDriver

__all__ = ["RunCache"]


class RunCache:
    """By run id. A run with a task in hand stays; of the idle ones the least
    recently used goes when there are more than `limit` in all."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._busy: dict[str, RunDriver] = {}
        self._idle: OrderedDict[str, RunDriver] = OrderedDict()

    def __len__(self) -> int:
        return len(self._busy) + len(self._idle)

    @property
    def busy(self) -> Iterator[RunDriver]:
        """Those with a task in hand."""
        return iter(list(self._busy.values()))

    @property
    def busy_count(self) -> int:
        return len(self._busy)

    def find(self, run_id: str) -> RunDriver | None:
        return self._busy.get(run_id) or self._idle.get(run_id)

    def set_busy(self, driver: RunDriver) -> None:
        """A task came for this run."""
        self._idle.pop(driver.run_id, None)
        self._busy[driver.run_id] = driver

    def set_idle(self, driver: RunDriver) -> None:
        """Its task is answered."""
        self._busy.pop(driver.run_id, None)
        self._idle[driver.run_id] = driver

    def remove(self, driver: RunDriver) -> None:
        for runs in (self._busy, self._idle):
            if runs.get(driver.run_id) is driver:
                del runs[driver.run_id]

    def surplus(self) -> Iterator[RunDriver]:
        """Takes out the idle runs that are too many."""
        while self._idle and len(self) > self._limit:
            yield self._idle.popitem(last=False)[1]

    def clear(self) -> list[RunDriver]:
        """Takes out everything."""
        everything = [*self._busy.values(), *self._idle.values()]
        self._busy.clear()
        self._idle.clear()
        return everything

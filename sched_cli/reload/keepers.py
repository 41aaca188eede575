"""Processes with old code that keep the workflows which newer code would break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.reload.protocol import Order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sched_cli.reload.process import ChildProcess
    from sched_cli.reload.protocol import ChildReport
    from sched_cli.reload.verdict import Break, Runs

    Worker = ChildProcess[ChildReport]


class Keepers:
    """Which child keeps which runs. None of them keeps nothing."""

    def __init__(self) -> None:
        self._kept: dict[Worker, dict[str, Break]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def children(self) -> list[Worker]:
        return list(self._kept)

    @property
    def runs(self) -> Runs:
        """All that are kept."""
        return [run for kept in self._kept.values() for run in runs_of(kept.values())]

    def has(self, run_id: str) -> bool:
        return any(run_id in kept for kept in self._kept.values())

    def add(self, child: Worker, breaks: Iterable[Break]) -> None:
        """The child keeps these, and takes no others from now on."""
        self._kept[child] = {one.run_id: one for one in breaks}
        self._tell(child)

    def release(self, fitting: frozenset[str]) -> tuple[list[Break], list[Worker]]:
        """Newer code fits these runs, or they are over. Returns those that were kept,
        and the children that keep nothing any more."""
        released: list[Break] = []
        idle: list[Worker] = []
        for child, kept in list(self._kept.items()):
            fits = [one for run_id, one in kept.items() if run_id in fitting]
            released += fits
            for one in fits:
                del kept[one.run_id]
            if not kept:
                idle.append(child)
                del self._kept[child]
            elif fits:
                self._tell(child)
        return released, idle

    def gone(self, child: Worker) -> tuple[Break, ...] | None:
        """The process has ended: what it kept; None: it was no keeper."""
        kept = self._kept.pop(child, None)
        return None if kept is None else tuple(kept.values())

    def _tell(self, child: Worker) -> None:
        runs = runs_of(self._kept[child].values())
        child.tell(Order("keep", runs, only=True).encode())


def runs_of(breaks: Iterable[Break]) -> Runs:
    """The runs that would break."""
    return [(one.workflow_id, one.run_id) for one in breaks]

"""A client's view is monotone: what it looks at again and again never goes back,
whichever engine answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from tests.sim.world import World


class MonotoneViews(Checker):
    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._before: dict[object, dict[str, tuple[int, bool]]] = {}

    def viewed(self, viewer: object, runs: dict[str, tuple[int, bool]]) -> None:
        before = self._before.get(viewer, {})
        for run_id, (length, closed) in before.items():
            now = runs.get(run_id)
            if now is None:
                self.wrong(f"run {run_id}: a client saw it, and then it was not there")
            elif now[0] < length:
                self.wrong(f"run {run_id}: its history had {length} events, and then {now[0]}")
            elif closed and not now[1]:
                self.wrong(f"run {run_id}: it was closed, and then it ran")
        self._before[viewer] = runs

    def followed(self, run_id: str, event_ids: list[int]) -> None:
        if event_ids != list(range(1, len(event_ids) + 1)):
            self.wrong(f"run {run_id}: the history that a client followed has gaps: {event_ids}")

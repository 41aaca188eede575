"""Results equal those of a run without faults; see `tests/sim/results.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.sim import results
from tests.sim.checkers.base import Checker

if TYPE_CHECKING:
    from tests.sim.plan import Job


class Results(Checker):
    def outcome(self, job: Job, run_id: str, status: str, value: Any) -> None:
        run = self.world.checkers.truth.last(run_id)
        assert run is not None
        if problem := results.problem(job, run, status, value):
            self.wrong(f"{run}: {problem}")

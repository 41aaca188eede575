"""Fresh seeds in every run of the tests, and the simulator's own promises."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.sim.coverage import Coverage
from tests.sim.plan import Job, Plan, draw
from tests.sim.report import failure_report
from tests.sim.run import run

if TYPE_CHECKING:
    from collections.abc import Callable

SEEDS = 30
# On a machine that is busy with other things, fewer of them must do.
MOST_SECONDS = 40.0


@pytest.mark.timeout(300)
def test_fresh_seeds(record_property: Callable[[str, object], None]) -> None:
    first = secrets.randbelow(1 << 40)
    began = time.monotonic()
    with Coverage() as coverage:
        for seed in range(first, first + SEEDS):
            outcome = run(draw(seed))
            coverage.add(outcome)
            if outcome.failures:
                pytest.fail(failure_report(outcome), pytrace=False)
            if time.monotonic() - began > MOST_SECONDS:
                break
    # Shown at the end of every run of the tests, by tests/conftest.py.
    tried, seconds = seed - first + 1, time.monotonic() - began
    record_property("seeds", f"{tried} fresh seeds from {first} on, in {seconds:.0f} s")
    assert coverage.faults, "no seed had a fault"


def test_the_same_seed_is_the_same_run() -> None:
    """Also in another process, with another order of sets of strings."""
    seeds = (11, 33, 55)
    hashes = [run(draw(seed)).hash for seed in seeds]
    assert [run(draw(seed)).hash for seed in seeds] == hashes
    assert len(set(hashes)) == len(seeds)
    program = (
        "from tests.sim.plan import draw; from tests.sim.run import run; "
        f"print([run(draw(seed)).hash for seed in {seeds}])"
    )
    other = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    assert other.stdout.strip() == str(hashes)


def test_no_time_of_the_real_world_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_for_others(clock: Callable[..., float]) -> Callable[..., float]:
        def read(*arguments: int) -> float:
            module = sys._getframe(1).f_globals["__name__"]
            # The database is there before the world begins.
            real = module.startswith("sched_server") and ".store." not in module
            assert not real, f"{module} reads a real clock"
            return clock(*arguments)

        return read

    for name in ("time", "time_ns", "monotonic", "monotonic_ns", "clock_gettime"):
        monkeypatch.setattr(time, name, only_for_others(getattr(time, name)))
    job = Job(number=0, workflow="mixed", n=2, client=0, at_s=0.0)

    assert not run(Plan(seed=1, engines=2, jobs=(job,))).failures

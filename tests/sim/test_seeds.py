"""Fresh seeds in every run of the tests, and the simulator's own promises."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time

import pytest

from tests.sim.coverage import Coverage
from tests.sim.plan import draw
from tests.sim.report import failure_report
from tests.sim.run import run

SEEDS = 30
# On a machine that is busy with other things, fewer of them must do.
MOST_SECONDS = 40.0


@pytest.mark.timeout(120)
def test_fresh_seeds() -> None:
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
    assert coverage.faults, "no seed had a fault"


def test_the_same_seed_is_the_same_run() -> None:
    """Also in another process, with another order of sets of strings."""
    seeds = (11, 21, 61)
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

"""A few seconds of chaos: the whole of it works, and nothing is left behind."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from msgspec import structs

from tests.chaos.plan import KINDS, Fault, draw
from tests.chaos.run import run

SECONDS = 6.0
# One of each that needs a part of its own: processes, wires, servers, the disk.
FAULTS = (
    Fault(at_s=0.5, kind="kill engine", number=-1, length_s=0.5),
    Fault(at_s=1.5, kind="kill worker", number=0, length_s=0.3),
    Fault(at_s=2.0, kind="cut engine off", number=-1, length_s=0.5),
    Fault(at_s=3.0, kind="kill Postgres", number=0, length_s=0.2),
    Fault(at_s=3.0, kind="kill Redis", number=0, length_s=0.5),
    Fault(at_s=4.5, kind="fill disk", number=0, length_s=0.3),
    Fault(at_s=4.5, kind="freeze worker", number=1, length_s=0.5),
)


@pytest.mark.timeout(240)
async def test_some_of_everything_breaks_and_nothing_is_lost() -> None:
    plan = draw(7, seconds=SECONDS, workflows=60)
    short = tuple(job for job in plan.jobs if job.n < 5)
    plan = structs.replace(plan, engines=2, workers=2, jobs=short, faults=FAULTS)
    notes: list[str] = []

    outcome = await run(plan, notes.append)

    print("\n".join((*notes, *outcome.timeline.lines[-60:])))
    assert outcome.timeline.violations == []
    assert outcome.finished == len(plan.jobs)
    assert set(outcome.timeline.faults) == {fault.kind for fault in FAULTS}
    assert not outcome.logs.exists()
    assert _processes_of(outcome.logs) == []


def _processes_of(folder: Path) -> list[str]:
    """Who was started in it, and lives on."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if str(link.readlink()).startswith(str(folder)):
                found.append(link.parent.name)
    return found


def test_a_seed_means_the_same_every_time() -> None:
    plan = draw(11, seconds=600, workflows=500)

    assert plan == draw(11, seconds=600, workflows=500)
    assert len(plan.jobs) == 500
    assert {fault.kind for fault in plan.faults} <= set(KINDS)
    assert all(fault.at_s < 600 for fault in plan.faults)

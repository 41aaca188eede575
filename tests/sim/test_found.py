"""What the simulator has found, as scripts that do not depend on what a seed means."""

from __future__ import annotations

import msgspec
import pytest

from tests.sim.coverage import Coverage
from tests.sim.plan import Act, Fault, Job, Plan, Rates
from tests.sim.report import failure_report
from tests.sim.run import run


def several(count: int, workflow: str, n: int, *acts: Act, first: int = 0) -> tuple[Job, ...]:
    return tuple(
        Job(number=first + i, workflow=workflow, n=n, client=0, at_s=0.0, acts=acts)
        for i in range(count)
    )


RESET_AND_END = (
    Act(kind="reset", after_s=0.5, twice=True),
    Act(kind="terminate", after_s=3.0),
)

FOUND = {
    # With one slot, those behind an activity that ended with its assignment waited.
    "an activity that ends in the commit that assigns it frees its slot": Plan(
        seed=8,
        slots=1,
        jobs=tuple(
            msgspec.structs.replace(job, acts=job.acts if job.number < 25 else ())
            for i in range(28)
            for job in several(
                1, "fan_out", 2, Act(kind="terminate", after_s=0.05 + 0.013 * i), first=i
            )
        ),
        faults=(Fault(at_s=0.0, kind="database slow", length_s=2.0),),
    ),
    # Each failed commit let go of a task that its worker went on with, and so the worker
    # got another one.
    "a worker has no more tasks than slots, whatever fails": Plan(
        seed=1,
        slots=1,
        jobs=several(30, "steps", 8),
        rates=Rates(failing_commits=0.4),
    ),
    # The second met the copy of the first, and was refused.
    "a reset is sent twice at once": Plan(
        seed=3,
        jobs=several(30, "waits_for_ever", 1, *RESET_AND_END),
        faults=(
            Fault(at_s=0.4, kind="database slow", length_s=2.5),
            # Whoever asked is gone while the copy is being committed, and asks again.
            *(
                Fault(at_s=0.6 + 0.2 * i, kind="streams broken", target="client-0")
                for i in range(12)
            ),
        ),
    ),
    # The first copy was made, and had ended, between two looks of the second.
    "a reset of what has ended is sent twice at once": Plan(
        seed=3,
        jobs=several(
            30, "queued_and_left", 1, Act(kind="reset", after_s=1.0, value=-1, twice=True)
        ),
        rates=Rates(tail=0.1),
        faults=(Fault(at_s=0.9, kind="database slow", length_s=2.0),),
    ),
    # So it was with starts, where the id had been used before.
    "a start under a used id is sent twice at once": Plan(
        seed=9,
        jobs=tuple(
            msgspec.structs.replace(job, again="after") for job in several(30, "queued_and_left", 1)
        ),
        rates=Rates(tail=0.1),
    ),
    # The commit of the first failed, and its run could not be read at once.
    "timers fire in their order, whatever fails": Plan(
        seed=4,
        jobs=several(30, "same_instant", 1),
        rates=Rates(failing_commits=0.4, failing_reads=0.4),
    ),
    # Its row was not among those that were read late, and it was held back for them.
    "a timer that comes due while its run is read anew fires": Plan(
        seed=1,
        jobs=several(30, "mixed", 3),
        rates=Rates(failing_commits=0.3, late_reads=0.5),
    ),
    # Its slot was free for others, its commit failed, its run could not be read at once,
    # and the worker that would have said it again was gone.
    "the report of an activity outlives its worker": Plan(
        seed=7,
        workers=2,
        jobs=several(10, "retried_late", 4),
        rates=Rates(failing_reads=0.3),
        faults=(
            Fault(at_s=1.6, kind="disk full", length_s=2.0),
            Fault(at_s=2.3, kind="kill", target="worker-0", length_s=6.0),
        ),
    ),
    # The simulator's own: its next life had begun, and the one before was looked at.
    "an engine that was killed with a question open has none in its next life": Plan(
        seed=397868674696,
        engines=2,
        workers=4,
        delay_s=0.0003,
        rates=Rates(tail=0.01, failing_commits=0.05, lost_commits=0.05),
        jobs=(
            Job(
                number=1,
                workflow="tells",
                n=2,
                client=0,
                at_s=0.0,
                acts=(Act(kind="query", after_s=7.223),),
            ),
            Job(number=2, workflow="worn_out", n=5, client=0, at_s=1.332),
        ),
        faults=(
            Fault(at_s=3.764, kind="kill", target="engine-0", length_s=0.5, steps=387),
            Fault(at_s=4.715, kind="disk full", length_s=0.8168907709931583),
        ),
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name: str) -> None:
    outcome = run(FOUND[name])

    if outcome.failures:
        pytest.fail(failure_report(outcome), pytrace=False)


RARE = {
    "ACTIVITY_RECORDS SCHEDULED, BACKOFF": Plan(
        seed=5,
        slots=1,
        jobs=several(4, "retried_late", 2),
        faults=tuple(
            Fault(at_s=at_s, kind="cut", target="engine-0|worker-0", length_s=2.2)
            for at_s in (0.1, 4.0, 7.0)
        ),
    ),
    "ACTIVITY_EVENTS BACKOFF, ActivityTimedOut": Plan(
        seed=6,
        workers=2,
        jobs=several(1, "worn_out", 8),
        faults=tuple(
            Fault(at_s=0.1 + 0.5 * i, kind="kill", target=f"worker-{i % 2}") for i in range(12)
        ),
    ),
}


@pytest.mark.parametrize("row", RARE)
def test_rows_that_few_seeds_reach(row: str) -> None:
    with Coverage() as coverage:
        outcome = run(RARE[row])

    if outcome.failures:
        pytest.fail(failure_report(outcome), pytrace=False)
    assert coverage.visits()[row]

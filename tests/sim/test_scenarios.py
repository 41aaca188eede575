"""Histories of failures as scripts: what once went wrong, or easily could."""

from __future__ import annotations

from itertools import cycle

import msgspec
import pytest

from tests.sim.plan import Act, Fault, Job, Plan, Rates
from tests.sim.report import failure_report
from tests.sim.run import run
from tests.sim.workflows import BY_NAME


def jobs(*names: str, n: int = 3) -> tuple[Job, ...]:
    """One of each, with the acts that it cannot do without."""
    acts = {
        "collects": tuple(Act(kind="signal", after_s=0.2, value=i) for i in range(n)),
        "canceled": (Act(kind="cancel", after_s=1.0),),
        "ignores_cancel": (Act(kind="cancel", after_s=1.0),),
        "canceled_anywhere": (Act(kind="cancel", after_s=0.1),),
        "waits_for_ever": (Act(kind="terminate", after_s=1.0),),
        "completed_elsewhere": (Act(kind="elsewhere", after_s=0.1),),
        "tells": tuple(
            Act(kind=kind, after_s=0.1 + i / 5, value=i)
            for i in range(n)
            for kind in ("signal", "query", "meddle")
        ),
    }
    return tuple(
        Job(number=i, workflow=name, n=n, client=0, at_s=0.0, acts=acts.get(name, ()))
        for i, name in enumerate(names)
    )


EVERYTHING = jobs(*BY_NAME)

SCENARIOS = {
    "nothing goes wrong": Plan(seed=1, jobs=EVERYTHING),
    "everything is evicted all the time": Plan(
        seed=2, workers=2, cached_executions=1, cached_workflows=1, jobs=EVERYTHING
    ),
    "one slot, one task in the queue, one run in a batch": Plan(
        seed=3, slots=1, queue_window=1, batch=1, jobs=EVERYTHING
    ),
    "a leader sleeps while another takes over, and wakes": Plan(
        seed=4,
        engines=2,
        workers=2,
        jobs=EVERYTHING,
        faults=tuple(
            Fault(at_s=at_s, kind="pause", target=f"engine-{i % 2}", length_s=5.0)
            for i, at_s in enumerate((0.3, 0.4, 6.0, 6.1))
        ),
    ),
    "each commit may fail, and may have happened": Plan(
        seed=5,
        engines=2,
        workers=2,
        jobs=EVERYTHING,
        rates=Rates(failing_commits=0.2, lost_commits=0.2, failing_reads=0.1),
    ),
    "workers die one after the other while commits fail": Plan(
        seed=6,
        workers=2,
        jobs=EVERYTHING,
        rates=Rates(failing_commits=0.3),
        faults=tuple(
            Fault(at_s=i / 2 + 0.1, kind="kill", target=f"worker-{i % 2}", steps=7 * i + 1)
            for i in range(12)
        ),
    ),
    "the queue forgets, repeats and reorders everything": Plan(
        seed=7,
        slots=2,
        jobs=EVERYTHING,
        rates=Rates(drops=0.5, repeats=0.5, reorders=0.5),
        faults=tuple(Fault(at_s=float(i), kind="queue wiped") for i in range(8)),
    ),
    "clocks of engines and database disagree": Plan(
        seed=8,
        engines=3,
        drift=0.05,
        jobs=EVERYTHING,
        faults=tuple(
            fault
            for i in range(6)
            for fault in (
                Fault(at_s=i + 0.2, kind="clock jump", length_s=(-1) ** i * 20.0),
                Fault(at_s=i + 0.3, kind="end session"),
            )
        ),
    ),
    "a leader is cut off from its database and not from its workers": Plan(
        seed=9,
        engines=2,
        workers=2,
        jobs=EVERYTHING,
        faults=(Fault(at_s=0.2, kind="cut", target="engine-0|database", length_s=9.0),),
    ),
    "running code is replaced by its next version": Plan(
        seed=10,
        workers=4,
        versions="patch",
        jobs=tuple(
            Job(number=i, workflow="versioned", n=5, client=0, at_s=i / 10) for i in range(8)
        ),
        faults=tuple(
            Fault(at_s=i / 3 + 0.1, kind="kill", target=f"worker-{i % 4}", steps=1)
            for i in range(12)
        ),
    ),
    "what was patched is not asked for any more": Plan(
        seed=12,
        workers=4,
        versions="deprecate",
        jobs=tuple(
            Job(number=i, workflow="versioned", n=5, client=0, at_s=i / 10) for i in range(8)
        ),
        faults=tuple(
            Fault(at_s=i / 3 + 0.1, kind="kill", target=f"worker-{i % 4}", steps=1)
            for i in range(12)
        ),
    ),
    "everything is begun anew from an earlier point, and copied": Plan(
        seed=13,
        engines=2,
        workers=2,
        jobs=tuple(
            msgspec.structs.replace(
                job,
                acts=(
                    *job.acts,
                    Act(kind=kind, after_s=after_s, value=value, twice=True),
                    Act(kind="stack", after_s=after_s),
                ),
            )
            for job, kind, after_s, value in zip(
                EVERYTHING,
                cycle(("reset", "fork", "reset_newest")),
                cycle((0.1, 0.5, 1.0, 5.0)),
                cycle((-1, 0, 3, 6, 7)),
                strict=False,
            )
        ),
        faults=tuple(
            Fault(at_s=i + 0.6, kind="kill", target=f"engine-{i % 2}", steps=5 * i + 1)
            for i in range(5)
        ),
    ),
    "everybody dies in the middle of everything": Plan(
        seed=11,
        engines=3,
        workers=3,
        jobs=EVERYTHING,
        faults=tuple(
            Fault(
                at_s=i / 4 + 0.05,
                kind="kill",
                target=("engine-0", "worker-0", "engine-1", "worker-1", "engine-2", "worker-2")[
                    i % 6
                ],
                steps=i * 11 + 1,
            )
            for i in range(36)
        ),
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    outcome = run(SCENARIOS[name])

    if outcome.failures:
        pytest.fail(failure_report(outcome), pytrace=False)
    assert outcome.transitions["WorkflowCompleted"] > 0
    assert bool(outcome.faults) == bool(SCENARIOS[name].faults or SCENARIOS[name].rates != Rates())

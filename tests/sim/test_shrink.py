"""A failing plan is made small, and printed as a script that is the same plan."""

from __future__ import annotations

import pytest

from sched_server.shard_group import ShardGroup
from tests.sim.plan import Act, Fault, Job, Plan, Rates, draw
from tests.sim.run import run
from tests.sim.shrink import script_of, shrink


def test_a_failing_plan_is_made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(*_: object) -> None:
        """Nothing is waited for: answers come before their commits."""

    monkeypatch.setattr(ShardGroup, "settled", at_once)
    outcome = next(o for o in (run(draw(seed)) for seed in range(9)) if len(o.plan.jobs) > 3)
    assert outcome.kind

    smaller = shrink(outcome)

    assert run(smaller).kind == outcome.kind
    assert len(smaller.jobs) == 1
    assert smaller.faults == ()
    assert smaller.rates == Rates()


def test_a_script_is_the_plan() -> None:
    plan = draw(8)
    names = {kind.__name__: kind for kind in (Act, Fault, Job, Plan, Rates)}

    assert eval(script_of(plan), {"run": lambda again: again, **names}) == plan

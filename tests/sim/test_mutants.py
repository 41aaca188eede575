"""The bugs that `python -m tests.sim.mutants` puts in are still bugs of this code;
and one of them is found here, so that a simulator that finds nothing is noticed."""

from __future__ import annotations

import pytest

from sched_server.shard_group import ShardGroup
from tests.sim.bugs import Mutant
from tests.sim.mutants import MUTANTS, ROOT
from tests.sim.plan import draw
from tests.sim.run import run


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_replaces_is_there_once(mutant: Mutant) -> None:
    text = (ROOT / mutant.path).read_text(encoding="utf-8")
    assert text.count(mutant.old) == 1
    assert mutant.new != mutant.old


def test_an_answer_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(*_: object) -> None:
        """Nothing is waited for."""

    monkeypatch.setattr(ShardGroup, "settled", at_once)

    assert {run(draw(seed)).kind for seed in range(3)} & {"Wire", "Acknowledgements"}

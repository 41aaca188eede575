"""The engine under attack: it goes on serving, and nothing is left behind."""

from __future__ import annotations

import random

import pytest

from .session import attack

FRESH = random.SystemRandom().randrange(1 << 32)


@pytest.mark.parametrize("seed", [1, FRESH], ids=["known", "fresh"])
async def test_the_engine_outlives_every_attack(seed: int) -> None:
    target = await attack(seed, batches=3)
    told = f"seed {seed} (python -m tests.fuzz --seed {seed}), {target.sent} messages"
    print(f"{told}: {target.outcomes}")
    assert not target.problems, "\n".join([told, *target.problems])
    assert any(name.startswith("segment ") for name in target.outcomes)  # it reached the runs
    assert target.outcomes["INVALID_ARGUMENT"] > 0

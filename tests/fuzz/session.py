"""Batches of attacks, each with a look at the engine afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .attacks import ATTACKS, prepare_runs
from .target import under_fire

if TYPE_CHECKING:
    from .target import Target

__all__ = ["attack"]


async def attack(seed: int, *, batches: int, size: int = 100) -> Target:
    """Attack a fresh engine; stops after the batch that found something."""
    async with under_fire(seed) as target:
        for _ in range(batches):
            await prepare_runs(target)
            chosen = [target.hostile.chance.choice(ATTACKS) for _ in range(size)]
            await asyncio.gather(*(one(target) for one in chosen))
            await target.settle()
            await target.serves()
            if target.problems:
                break
        await target.check_runs()
    return target

"""Waiting for a condition, with a deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]], within_s: float = 10.0
) -> float:
    """How many seconds it took until the condition held."""
    began = time.monotonic()
    while True:
        holds = condition()
        if holds is True or (not isinstance(holds, bool) and await holds):
            return time.monotonic() - began
        assert time.monotonic() - began < within_s, "it did not happen in time"
        await asyncio.sleep(0.005)

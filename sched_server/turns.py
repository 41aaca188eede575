"""One after the other, by key."""

from __future__ import annotations

import asyncio

__all__ = ["Turns"]


class Turns:
    """Whoever looks for a run, and makes it if it is not there, does both in one
    turn: a run could be made and have ended while somebody else looks for it."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: dict[str, asyncio.Future[None]] = {}

    def __len__(self) -> int:
        return len(self._taken)

    async def take(self, key: str) -> None:
        """Wait for the turn of `key`. Every one that is taken must be given back."""
        while (taken := self._taken.get(key)) is not None:
            await asyncio.wait((taken,))
        self._taken[key] = asyncio.get_running_loop().create_future()

    def give_back(self, key: str) -> None:
        self._taken.pop(key).set_result(None)

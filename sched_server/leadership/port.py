"""The leadership port: who may lead a shard group, and for how long.

Winning leadership gives no right to write by itself: the winner raises the
epoch through `Store.acquire`, and every commit checks it. Leadership decides
who tries; the epoch decides who can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable


class LeaderInfo(Struct, frozen=True):
    """Who leads, as the database says."""

    address: str
    """Where clients reach the leader: "host:port"."""
    epoch: int
    alive: bool
    """It renewed its row within the time in which a living leader does."""


class CandidateInfo(Struct, frozen=True):
    """An engine that waits for its turn."""

    address: str
    since_us: int


class Leadership(Protocol):
    """One engine's candidacy for one shard group. Not reused after `resign`."""

    async def campaign(self) -> None:
        """Wait, for as long as it takes, until this engine may lead."""
        ...

    async def confirm(self, epoch: int) -> None:
        """The epoch was raised: announce address and epoch, and begin to renew."""
        ...

    def holds(self) -> bool:
        """Whether this engine may still act as the leader, by monotonic time and
        without asking anybody: checked before each commit and after each read."""
        ...

    def on_lost(self, callback: Callable[[str], None]) -> None:
        """Call back, once, with the reason, as soon as the leadership is lost or
        can no longer be proven. It is safe before another could begin."""
        ...

    async def leader(self) -> LeaderInfo | None:
        """The current leader; None if there never was one."""
        ...

    async def candidates(self) -> list[CandidateInfo]: ...

    async def resign(self) -> None:
        """Give the leadership (or the candidacy) up at once, so that another
        need not wait."""
        ...

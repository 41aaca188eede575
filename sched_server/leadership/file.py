"""Leadership of a store that one process has to itself.

Opening a SQLite store takes an exclusive lock that the kernel releases when the
process ends. Whoever has the store open leads, then and until it is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.leadership.port import CandidateInfo, LeaderInfo, Leadership

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FileLeadership"]


class FileLeadership(Leadership):
    """Wins at once and holds until `resign`. `address` is where clients reach it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._leads = False
        self._epoch: int | None = None

    async def campaign(self) -> None:
        self._leads = True

    async def confirm(self, epoch: int) -> None:
        self._epoch = epoch

    def holds(self) -> bool:
        return self._leads

    def on_lost(self, callback: Callable[[str], None]) -> None:
        """Never called: the lock is lost with the process only."""

    async def leader(self) -> LeaderInfo | None:
        if self._epoch is None:
            return None
        return LeaderInfo(address=self._address, epoch=self._epoch, alive=self._leads)

    async def candidates(self) -> list[CandidateInfo]:
        """None: a second process cannot even open the store."""
        return []

    async def resign(self) -> None:
        self._leads = False

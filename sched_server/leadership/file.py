"""Leadership of a store that one process holds for itself.

Opening the store took its lock, which the operating system lets go when the
process ends. So there is nothing to wait for and nothing to lose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.leadership.port import CandidateInfo, LeaderInfo

if TYPE_CHECKING:
    from collections.abc import Callable


class FileLeadership:
    """The leadership of whoever has opened the store."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._epoch = 0

    async def campaign(self) -> None:
        """Nobody else can have it."""

    async def confirm(self, epoch: int) -> None:
        self._epoch = epoch

    def holds(self) -> bool:
        return True

    def on_lost(self, callback: Callable[[str], None]) -> None:
        """Never called: the lock goes with the process."""

    async def leader(self) -> LeaderInfo | None:
        if not self._epoch:
            return None
        return LeaderInfo(address=self._address, epoch=self._epoch, alive=True)

    async def candidates(self) -> list[CandidateInfo]:
        return []

    async def resign(self) -> None:
        self._epoch = 0

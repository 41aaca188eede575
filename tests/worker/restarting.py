"""An engine that goes and comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server import EngineServer, EngineSettings

if TYPE_CHECKING:
    from pathlib import Path


class RestartingEngine:
    """An engine on a file and a port that stay the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._port = 0
        self._server: EngineServer | None = None

    async def start(self) -> None:
        self._server = EngineServer(EngineSettings(db=self._path, port=self._port))
        await self._server.start()
        self._port = int(self.address.rpartition(":")[2])

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    @property
    def address(self) -> str:
        assert self._server is not None
        return self._server.address

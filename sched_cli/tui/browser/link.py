"""The browser's connection to the engine.

Nothing that is read waits for an engine that is gone: it fails within a second
or two, the link says LOST, makes a connection of its own four times a second, and
says so when there is one. What was read before stays on the screen meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_sdk._client import Client

    Connect = Callable[[], Awaitable[Client]]

__all__ = ["Link", "LinkLostError", "connector"]

ResultT = TypeVar("ResultT")

_PATIENCE_S = 1.0
"""How long a call waits for an engine to come back."""
_ANSWER_S = 6.0
"""An engine that does not answer for so long is as good as gone."""
_AGAIN_S = 0.25


class LinkLostError(Exception):
    """No engine answers; the message is for people."""


def connector(engine: str) -> Connect:
    """Connects to these addresses. The client is imported with the first call."""

    async def connect() -> Client:
        # Importing takes a while; the screen is painted meanwhile.
        client_type = await asyncio.to_thread(_import_client)
        from sched_cli import access

        given = access.given()
        return await client_type.connect(
            engine,
            timeout=_PATIENCE_S,
            retry_timeout=_PATIENCE_S,
            tls=given.tls,
            token=given.token,
        )

    return connect


def _import_client() -> type[Client]:
    from sched_sdk._client import Client

    return Client


class Link:
    """One connection, for as long as the browser runs."""

    def __init__(self, connect: Connect, tell: Callable[[str], None]) -> None:
        """`tell` is called with "" when there is a connection, and with what is
        wrong when there is none."""
        self._connect = connect
        self._tell = tell
        self._client: Client | None = None
        self._offset = timedelta(0)
        self._ever_connected = False
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()

    def now(self) -> datetime:
        """The time by the engine's clock; while there is none, as it would go on."""
        if self._client is None:
            return datetime.now(UTC) + self._offset
        now = self._client.cluster_time()
        self._offset = now - datetime.now(UTC)
        return now

    @property
    def ever_connected(self) -> bool:
        """Whether an engine has answered at all, so that there is something to show."""
        return self._ever_connected

    @property
    def connected(self) -> bool:
        """Whether the engine answered last."""
        return self._connected.is_set()

    async def run(self) -> None:
        """Connect, and again whenever the connection is lost."""
        try:
            while True:
                if await self._try():
                    await self._lost.wait()
                await self._close()
                await asyncio.sleep(_AGAIN_S)
        finally:
            await self._close()

    async def wait_connected(self) -> None:
        """Return when there is a connection."""
        await self._connected.wait()

    async def ask(
        self, use: Callable[[Client], Awaitable[ResultT]], *, timeout: float | None = _ANSWER_S
    ) -> ResultT:
        """Call `use` with the client. Raises LinkLostError when no engine answers,
        and what `use` raises. `timeout` seconds without an answer are as bad as none;
        with None it may take as long as it takes, while the engine is there."""
        from sched_sdk.errors import EngineUnavailableError

        client = self._client
        if client is None:
            raise LinkLostError("there is no connection to an engine")
        try:
            async with asyncio.timeout(timeout):
                return await use(client)
        except TimeoutError:
            problem = f"the engine has not answered for {timeout or 0:g} s"
        except EngineUnavailableError as error:
            problem = str(error)
        if client is self._client:
            self.lose(problem)
        raise LinkLostError(problem)

    def lose(self, problem: str) -> None:
        """Give the connection up, say why, and make another."""
        if self._connected.is_set():
            self._connected.clear()
            self._lost.set()
            self._tell(problem)

    async def _try(self) -> bool:
        try:
            self._client = await self._connect()
        except Exception as error:  # whatever it is, trying again is what is left
            self._tell(str(error) or type(error).__name__)
            return False
        self._lost.clear()
        self._connected.set()
        self._ever_connected = True
        self._tell("")
        return True

    async def _close(self) -> None:
        client, self._client = self._client, None
        self._connected.clear()
        if client is not None:
            with contextlib.suppress(Exception):
                await client.close()

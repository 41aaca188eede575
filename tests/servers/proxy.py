"""A network between client and server that can be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from psycopg import conninfo

Fault = Literal["", "lose the request", "lose the reply"]


class Proxy:
    """Forwards bytes. `fault` befalls the next connection on which the client
    says something with `cue` in it, once; its connection is closed by it. `host` is
    where it listens."""

    def __init__(self, dsn: str, *, host: str = "127.0.0.1") -> None:
        self._parts = conninfo.conninfo_to_dict(dsn)
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._host = host
        self.fault: Fault = ""
        self.cue = b""
        self.delay_s = 0.0
        """How much later everything arrives."""
        self.requests = asyncio.Event()
        """Set when a client says something."""

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def dsn(self) -> str:
        return conninfo.make_conninfo("", **{**self._parts, "host": self._host, "port": self.port})

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, 0)

    def swallow(self) -> None:
        """Forward nothing any more, and keep every connection."""
        self._passing.clear()

    def heal(self) -> None:
        self._passing.set()

    def refuse(self) -> None:
        """Take no new connections."""
        assert self._server is not None
        self._server.close()

    def cut(self) -> None:
        """Close every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        self.refuse()
        self.cut()
        self._passing.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(
        self, client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(client_writer)
        server_writer = None
        try:
            server_reader, server_writer = await asyncio.open_connection(
                str(self._parts["host"]), int(str(self._parts["port"]))
            )
            self._writers.add(server_writer)
            link = _Link(self, client_writer, server_writer)
            await asyncio.gather(
                self._pump(client_reader, link.request), self._pump(server_reader, link.reply)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for writer in (client_writer, server_writer):
                if writer is not None:
                    self._writers.discard(writer)
                    writer.transport.abort()
            self._tasks.discard(task)

    async def _pump(self, reader: asyncio.StreamReader, pass_on: Callable[[bytes], None]) -> None:
        while data := await reader.read(65536):
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self._passing.wait()
            pass_on(data)
        raise ConnectionResetError("the other side has closed")


class _Link:
    """One client's connection."""

    def __init__(
        self, proxy: Proxy, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._loses_reply = False

    def request(self, data: bytes) -> None:
        fault: Fault = ""
        if self._proxy.cue in data:
            fault, self._proxy.fault = self._proxy.fault, ""
        self._proxy.requests.set()
        if fault == "lose the request":
            raise ConnectionResetError
        self._loses_reply = fault == "lose the reply"
        self._server.write(data)

    def reply(self, data: bytes) -> None:
        if self._loses_reply:
            raise ConnectionResetError
        self._client.write(data)


@asynccontextmanager
async def proxied(dsn: str) -> AsyncIterator[Proxy]:
    """A proxy in front of a Postgres."""
    proxy = Proxy(dsn)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()

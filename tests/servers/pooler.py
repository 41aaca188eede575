"""A connection pooler, as small as one can be: it speaks just enough of the
protocol to hand server sessions around between clients."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg import conninfo

_SSL_REQUESTS = (80877103, 80877104)
_TOLD = ("server_encoding", "client_encoding", "DateStyle", "integer_datetimes", "TimeZone")


class Pooler:
    """`keeps_sessions`: a client keeps its server session until it leaves.
    `server_version` is what clients are told."""

    def __init__(self, dsn: str, *, keeps_sessions: bool, server_version: str = "18.0") -> None:
        self._dsn = dsn
        self._keeps_sessions = keeps_sessions
        self._version = server_version
        self._free: list[_ServerSession] = []
        self._all: list[_ServerSession] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"host=127.0.0.1 port={port} dbname=postgres user=postgres sslmode=disable"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for session in self._all:
            session.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._welcome(reader, writer)
            await self._relay(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            (length,) = struct.unpack(">i", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            if struct.unpack(">i", body[:4])[0] not in _SSL_REQUESTS:
                break
            writer.write(b"N")
        session = self._take()
        told = {name: session.setting(name) for name in _TOLD} | {"server_version": self._version}
        self._free.append(session)
        writer.write(_message(b"R", struct.pack(">i", 0)))
        for name, value in told.items():
            writer.write(_message(b"S", f"{name}\0{value}\0".encode()))
        writer.write(_message(b"K", struct.pack(">ii", 4711, 1)) + _message(b"Z", b"I"))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Request by request: a session is taken for it, and given back when it
        says that no transaction is open."""
        session = None
        try:
            while data := await reader.read(65536):
                if data[:1] == b"X":
                    return
                session = session or self._take()
                status = await session.ask(data, writer)
                if status == b"I" and not self._keeps_sessions:
                    self._free.append(session)
                    session = None
        finally:
            if session is not None:
                # Nobody may inherit what this client has set and prepared.
                self._all.remove(session)
                session.close()

    def _take(self) -> _ServerSession:
        if not self._free:
            session = _ServerSession(self._dsn)
            self._all.append(session)
            self._free.append(session)
        return self._free.pop()


class _ServerSession:
    """An authenticated session, used by its bare socket."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(conninfo.make_conninfo(dsn, sslmode="disable"))
        self._socket = socket.socket(fileno=os.dup(self._connection.fileno()))
        self._socket.setblocking(False)

    def setting(self, name: str) -> str:
        return self._connection.info.parameter_status(name) or ""

    async def ask(self, data: bytes, client: asyncio.StreamWriter) -> bytes:
        """Pass a request on and its answer back; returns the transaction status."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, data)
        answer = b""
        while True:
            answer += await loop.sock_recv(self._socket, 65536)
            while len(answer) >= 5:
                size = 1 + struct.unpack(">i", answer[1:5])[0]
                if len(answer) < size:
                    break
                message, answer = answer[:size], answer[size:]
                client.write(message)
                if message[:1] == b"Z":
                    return message[5:6]

    def close(self) -> None:
        self._socket.close()
        self._connection.close()


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


@asynccontextmanager
async def pooled(
    dsn: str, *, keeps_sessions: bool = False, server_version: str = "18.0"
) -> AsyncIterator[Pooler]:
    pooler = Pooler(dsn, keeps_sessions=keeps_sessions, server_version=server_version)
    await pooler.start()
    try:
        yield pooler
    finally:
        await pooler.stop()

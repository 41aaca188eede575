"""`/metrics`, `/healthz` and `/readyz` over HTTP, in the event loop.

    GET /metrics    200, in the form that Prometheus asks for
    GET /healthz    200: the process lives and its loop turns
    GET /readyz     200, or 503 and the reason

Just enough HTTP/1.1 for a scraper and a probe: one request a connection,
bounded in size, time and number. In the loop, because the numbers are read
without locks, and because a loop that hangs should look as if it hung.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Metrics = Callable[[str], Awaitable[tuple[bytes, str]]]

logger = logging.getLogger("sched.metrics")

_HEAD_BYTES = 8 * 1024
_TIMEOUT_S = 5.0
_CONNECTIONS = 32
_TEXT = "text/plain; charset=utf-8"
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class _Answer(Struct):
    status: int
    body: bytes
    content_type: str = _TEXT


class Endpoint:
    """`metrics` gets the `Accept` header and returns page and content type;
    `not_ready` returns why the process does not serve, or nothing."""

    def __init__(self, metrics: Metrics, not_ready: Callable[[], str]) -> None:
        self._metrics = metrics
        self._not_ready = not_ready
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.port = 0
        self.url = ""
        """Of the metrics; empty while it does not listen."""

    async def start(self, host: str, port: int) -> None:
        """Listen; 0 picks a free port. Raises OSError."""
        listener = _listen(host, port)
        self._server = await asyncio.start_server(self._serve, sock=listener, limit=_HEAD_BYTES)
        self.port = listener.getsockname()[1]
        named = f"[{host}]" if ":" in host else host
        self.url = f"http://{named}:{self.port}/metrics"

    async def close(self) -> None:
        """Stop listening; whoever is being answered is cut off."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._open) >= _CONNECTIONS:
                return
            self._open.add(task)
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await self._answer(reader)
                if answer is not None:
                    writer.write(_encode(answer))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.CancelledError):
            pass  # nobody is left to tell
        finally:
            self._open.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> _Answer | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return _Answer(431, b"the request is too long\n")
        except asyncio.IncompleteReadError:
            return None  # it hung up
        line, *rest = head.decode("latin-1").split("\r\n")
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return _Answer(400, b"this is no HTTP/1.1 request\n")
        if words[0] != "GET":
            return _Answer(405, b"only GET is answered here\n")
        try:
            return await self._page(words[1].partition("?")[0], _accepted(rest))
        except Exception:
            logger.exception("%s could not be answered", words[1])
            return _Answer(500, b"unexpected error; the log says more\n")

    async def _page(self, path: str, accept: str) -> _Answer:
        if path == "/metrics":
            body, content_type = await self._metrics(accept)
            return _Answer(200, body, content_type)
        if path == "/healthz":
            return _Answer(200, b"ok\n")
        if path == "/readyz":
            reason = self._not_ready()
            return _Answer(503, f"{reason}\n".encode()) if reason else _Answer(200, b"ok\n")
        return _Answer(404, b"there are /metrics, /healthz and /readyz\n")


def _listen(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_CONNECTIONS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _accepted(headers: list[str]) -> str:
    for header in headers:
        name, _, value = header.partition(":")
        if name.lower() == "accept":
            return value.strip()
    return ""


def _encode(answer: _Answer) -> bytes:
    allow = "Allow: GET\r\n" if answer.status == 405 else ""
    head = (
        f"HTTP/1.1 {answer.status} {_PHRASES[answer.status]}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        f"Cache-Control: no-store\r\n{allow}Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + answer.body

"""The connection: one socket, round trips that gather, and a way back.

While one round trip is under way the commands of all callers gather for the
next. So replies come in the order of the requests, and under load many calls
share one write, one read and one wake-up.

      ┌──────────► connecting ──── refused, too slow, unusable ────┐
      │                │                                           ▼
      │             arrive()                              wait, longer each time
      │                ▼                                           │
      │               up ───── error, or no reply in time ─────────┤
      └────────────────────────────────────────────────────────────┘

Whoever asks while the link is not up is told so at once (`LinkDownError`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import quote, urlsplit

import hiredis
from redis.asyncio.connection import Connection, parse_url
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio.connection import AbstractConnection

    from sched_server.queue.redis.wire import Command, Reply

    Talk = Callable[[list[Command]], Awaitable[list[Reply]]]
    """Send commands in one round trip; their replies in order."""

__all__ = ["Link", "LinkDownError", "RedisUrlError", "UnusableError"]

logger = logging.getLogger("sched.queue")

FIRST_DELAY_S = 0.05
LONGEST_DELAY_S = 2.0
# The last round trip of a link that closes.
_FAREWELL_S = 0.5

_pack = cast("Callable[[Command], bytes]", hiredis.pack_command)


class LinkDownError(Exception):
    """There is no connection; whether commands under way took effect is unknown."""


class UnusableError(Exception):
    """The server answers, but cannot serve; the message says why."""


class RedisUrlError(ValueError):
    """The URL of the Redis server is none; the message says what is expected."""


class Address:
    """A server's URL, and what of it may be shown."""

    def __init__(self, url: str) -> None:
        expected = "redis://[user:password@]host[:6379][/db], rediss://… or unix:///path"
        try:
            self._arguments: dict[str, Any] = dict(parse_url(url))
            parts = urlsplit(url)
            port = parts.port or 6379
        except ValueError:
            # The parser's own words could repeat the URL, with its password.
            scheme = url.partition("://")[0] if "://" in url else ""
            said = f" with scheme {scheme[:20]!r}" if scheme else ""
            raise RedisUrlError(f"Not a Redis URL{said}; expected {expected}.") from None
        if parts.scheme == "unix":
            self.text = str(self._arguments.get("path", ""))
        else:
            host = parts.hostname or "localhost"
            self.text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if not self.text:
            raise RedisUrlError(f"The Redis URL names no socket; expected {expected}.")
        password = str(self._arguments.get("password") or "")
        self._secrets = {text for text in (password, quote(password, safe="")) if text}
        self._class: type[AbstractConnection] = self._arguments.pop("connection_class", Connection)

    def connection(self, timeout_s: float) -> AbstractConnection:
        arguments = self._arguments | {
            "protocol": 2,
            "decode_responses": False,
            "socket_connect_timeout": timeout_s,
            # Whole round trips have a limit instead.
            "socket_timeout": None,
            "health_check_interval": 0,
            "client_name": "sched-engine",
        }
        return self._class(**arguments)

    def describe(self, error: BaseException) -> str:
        """What went wrong, in few words."""
        cause = error.__cause__ or error.__context__
        if isinstance(error, TimeoutError | RedisTimeoutError):
            text = "no answer in time"
        elif isinstance(cause, OSError) and cause.errno is not None:
            # Negative ones are from name resolution, and none of the system's.
            text = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
        else:
            text = str(error) or type(error).__name__
        if isinstance(error, AuthenticationError):
            text = f"{text.rstrip('.')}; check the user and the password in the Redis URL"
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class _Request(NamedTuple):
    commands: list[Command]
    replies: asyncio.Future[list[Reply]]


class Link:
    """Keeps one connection to one server, as far as it can.

    `arrive` is awaited with every new connection before anyone else may use
    it; `on_down` is called when the connection is gone, before callers that
    wait for replies are told.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float,
        arrive: Callable[[Talk], Awaitable[None]],
        on_down: Callable[[], None],
    ) -> None:
        self.address = Address(url)
        self.up = False
        self.last_error = ""
        """Why it is not up, for people; without secrets."""
        self._timeout_s = timeout_s
        self._arrive = arrive
        self._on_down = on_down
        self._requests: list[_Request] = []
        self._flying: list[_Request] = []
        self._wake = asyncio.Event()
        self._tried = asyncio.Event()
        self._drop: Exception | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, wait_s: float) -> None:
        """Start connecting; returns when the first try is over, or after `wait_s`."""
        self._tried.clear()
        self._task = asyncio.create_task(self._keep_up(), name="redis link")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), wait_s)

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        if self.up:
            # Replies come in order: with this one, all before it went through.
            with contextlib.suppress(LinkDownError, TimeoutError):
                await asyncio.wait_for(self.submit([("PING",)]), _FAREWELL_S)
        task.cancel()
        await asyncio.wait([task])
        self.last_error = ""

    def submit(self, commands: list[Command]) -> asyncio.Future[list[Reply]]:
        """The replies, in order; a command that was refused has its
        ResponseError as a value. The future raises LinkDownError."""
        replies: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()
        if self.up:
            self._requests.append(_Request(commands, replies))
            self._wake.set()
        else:
            replies.set_exception(LinkDownError(self.last_error))
        return replies

    def drop(self, error: Exception) -> None:
        """Begin anew with a new connection, because of `error`."""
        self._drop = error
        self._wake.set()

    async def _keep_up(self) -> None:
        delay_s = FIRST_DELAY_S
        clock = asyncio.get_running_loop().time
        while True:
            connection = self.address.connection(self._timeout_s)
            up_since = clock()
            try:
                connect: Callable[[], Awaitable[None]] = connection.connect
                async with asyncio.timeout(self._timeout_s):
                    await connect()
                await self._arrive(partial(self._exchange, connection))
                self._came_up()
                up_since = clock()
                await self._serve(connection)
            except (RedisError, OSError, TimeoutError, UnusableError) as error:
                self._fell(error)
            except Exception as error:
                logger.exception("the link to Redis failed in an unexpected way; connecting again")
                self._fell(error)
            finally:
                if self.up:
                    self._fell(LinkDownError("closed"))
                await connection.disconnect(nowait=True)
            if clock() - up_since > LONGEST_DELAY_S:
                delay_s = FIRST_DELAY_S
            await asyncio.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            delay_s = min(2 * delay_s, LONGEST_DELAY_S)

    async def _serve(self, connection: AbstractConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._drop is not None:
                raise self._drop
            self._flying, self._requests = self._requests, []
            if not self._flying:
                continue
            commands = [command for request in self._flying for command in request.commands]
            replies = iter(await self._exchange(connection, commands))
            flying, self._flying = self._flying, []
            for request in flying:
                mine = [next(replies) for _ in request.commands]
                if not request.replies.done():
                    request.replies.set_result(mine)

    async def _exchange(
        self, connection: AbstractConnection, commands: list[Command]
    ) -> list[Reply]:
        """One round trip."""
        packed = b"".join([_pack(command) for command in commands])
        async with asyncio.timeout(self._timeout_s):
            await connection.send_packed_command([packed], check_health=False)
            return [await _reply(connection) for _ in commands]

    def _came_up(self) -> None:
        if self.last_error:
            logger.info("Redis at %s is back", self.address.text)
        self.up, self.last_error, self._drop = True, "", None
        self._tried.set()

    def _fell(self, error: BaseException) -> None:
        was_up, self.up = self.up, False
        text = self.address.describe(error)
        if self._task is not None and text != self.last_error:
            logger.warning(
                "Redis at %s cannot be used: %s. Tasks wait in the engine's memory meanwhile; it "
                "is tried again every %g s, for as long as it takes",
                self.address.text,
                text.rstrip("."),
                LONGEST_DELAY_S,
            )
        self.last_error = text
        self._tried.set()
        if was_up:
            self._on_down()
        flying, self._flying = self._flying, []
        requests, self._requests = self._requests, []
        for request in flying + requests:
            if not request.replies.done():
                request.replies.set_exception(LinkDownError(text))


async def _reply(connection: AbstractConnection) -> Reply:
    try:
        return await connection.read_response(disconnect_on_error=False)
    except ResponseError as error:
        return error

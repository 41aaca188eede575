"""The engine that people run in earnest: from its options to a clean end."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli import logs, loops
from sched_cli.errors import EXIT_UNREACHABLE, CliError, UsageError, explain
from sched_cli.render import console
from sched_cli.render.engine_news import EngineNews

if TYPE_CHECKING:
    from sched_cli.loops import StopRequest
    from sched_server import EngineServer, EngineSettings, EngineStartError

_RETRY_S = 1.0
# A person who interrupts waits for the prompt; what was acknowledged is committed.
_URGENT_GRACE_S = 0.3
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - what a person may have asked for
_LOCK_KEYS = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What `sched engine` was asked to run, as it was typed."""

    postgres_dsn: str
    redis_url: str
    """A URL, or "host:port"; empty: no Redis."""
    host: str
    port: int
    metrics_port: int
    advertise: str
    migrate: bool
    lock_key: str
    wait_s: float
    """How long a store that cannot be reached is waited for."""
    grace_s: float

    def settings(self) -> EngineSettings:
        """The same for the engine. Raises UsageError for what cannot be used."""
        from sched_server import EngineSettings

        if not self.postgres_dsn:
            raise UsageError(
                "Say where the state is: --postgres-dsn postgresql://user:password@host/database, "
                "or SCHED_POSTGRES_DSN. Without Postgres, for development: sched dev"
            )
        return EngineSettings(
            postgres_dsn=self.postgres_dsn,
            redis_url=_redis_url(self.redis_url),
            host=self.host,
            port=self.port,
            metrics_port=self.metrics_port,
            advertise=self._advertised(),
            migrate=self.migrate,
            lock_key=_lock_key(self.lock_key),
        )

    def _advertised(self) -> str:
        if self.advertise:
            return _one_address(self.advertise)
        if self.host not in _EVERYWHERE:
            return ""
        if not self.port:
            raise UsageError(
                f"--host {self.host} with --port 0 does not say where others reach this engine. "
                "Choose a --port, or add --advertise HOST:PORT."
            )
        return f"{socket.gethostname()}:{self.port}"


def _redis_url(given: str) -> str:
    """Raises UsageError for what is no address of a Redis."""
    if not given:
        return ""
    from sched_server.queue.redis import RedisTaskQueue, RedisUrlError

    url = given if "://" in given else f"redis://{given}"
    try:
        RedisTaskQueue(url, prefix="sched")
    except RedisUrlError as error:
        raise UsageError(f"--redis-url: {error}") from error
    return url


def _one_address(given: str) -> str:
    from sched_sdk._client.addresses import parse_addresses

    addresses = parse_addresses(given)
    if len(addresses) != 1:
        raise UsageError(
            f"--advertise {given!r} names {len(addresses)} addresses; name the one of this engine."
        )
    return addresses[0]


def _lock_key(given: str) -> int:
    try:
        key = int(given, 0)
    except ValueError:
        key = None
    if key is None or key not in _LOCK_KEYS:
        raise UsageError(
            f"--lock-key {given!r} is no 64-bit integer. Write one, such as 42 or 0x2a; every "
            "engine of a cluster has the same, and no other cluster on this database."
        )
    return key


async def serve(options: EngineOptions) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises CliError when the engine cannot start, or can go on no more.
    """
    logs.set_up(default_level="info" if logs.as_json() else "warning")
    settings = options.settings()
    with loops.stop_on_signals() as stop:
        server = await _start(settings, stop, options.wait_s)
        if server is None:
            return
        news = asyncio.create_task(EngineNews(server).tell())
        try:
            await _first_of(stop, server)
        finally:
            news.cancel()
            grace_s = options.grace_s if stop.gently else min(options.grace_s, _URGENT_GRACE_S)
            await server.stop(grace_s)
            await asyncio.wait([news])
        if not stop.requested:
            raise _ended(server)


async def _start(settings: EngineSettings, stop: StopRequest, wait_s: float) -> EngineServer | None:
    """A server that serves; None if it was asked to stop before it did. A store
    that cannot be reached may be about to start, so it is waited for."""
    from sched_server import EngineServer, EngineStartError

    clock = asyncio.get_running_loop().time
    deadline = clock() + wait_s
    told = False
    while not stop.requested:
        server = EngineServer(settings)
        try:
            await server.start()
        except EngineStartError as error:
            problem = _explained(error)
            left = deadline - clock()
            if problem.exit_code != EXIT_UNREACHABLE or left <= 0:
                raise problem from error
            if not told:
                console.say(f"{problem}\nTrying again for {left:.0f} s.")
                told = True
            await _pause(stop, min(_RETRY_S, left))
        else:
            return server
    return None


async def _pause(stop: StopRequest, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _explained(error: EngineStartError) -> CliError:
    cause = error.__cause__
    known = explain(cause) if isinstance(cause, Exception) else None
    return known or CliError(str(error))


async def _first_of(stop: StopRequest, server: EngineServer) -> None:
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(server.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _ended(server: EngineServer) -> CliError:
    failed = server.host.failed
    known = explain(failed) if failed is not None else None
    return known or CliError(f"This engine cannot go on: {failed}. Its log says more.")

"""The engine that people run in earnest: from its options to a clean end."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sched_cli import logs, loops
from sched_cli.errors import CliError, UsageError, explain
from sched_cli.hosts import check_host
from sched_cli.redis_url import checked_redis_url
from sched_cli.render import console
from sched_cli.render.engine_news import EngineNews
from sched_cli.tracing import checked_endpoint

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sched_cli.access import Serving
    from sched_cli.loops import StopRequest
    from sched_server import EngineServer, EngineSettings, EngineStartError

logger = logging.getLogger("sched.engine")

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
    otlp_endpoint: str
    """Empty: no spans."""
    serving: Serving
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
        check_host(self.host)
        return EngineSettings(
            postgres_dsn=self.postgres_dsn,
            redis_url=checked_redis_url(self.redis_url),
            host=self.host,
            port=self.port,
            metrics_port=self.metrics_port,
            otlp_endpoint=checked_endpoint(self.otlp_endpoint),
            **asdict(self.serving),
            advertise=self._advertised(),
            migrate=self.migrate,
            migration_wait_s=self.wait_s,
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
            "engine of a cluster has the same."
        )
    return key


async def serve(options: EngineOptions) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises CliError when the engine cannot start, or can go on no more.
    """
    logs.set_up(default_level="info" if logs.as_json() else "warning")
    settings = options.settings()
    with loops.stop_on_signals() as stop:
        await _wait_for_store(settings.postgres_dsn, stop, options.wait_s)
        if stop.requested:
            return
        server = _new_server(settings)
        # It may wait for somebody else who migrates the same database.
        if not await _unless_stopped(stop, _start(server)):
            await server.stop(0)
            return
        news = EngineNews()
        news.serves(server)
        server.on_standing(news.hear)
        try:
            await _unless_stopped(stop, server.wait())
        finally:
            news.end()
            grace_s = options.grace_s if stop.gently else min(options.grace_s, _URGENT_GRACE_S)
            await stop.carry_out(server.stop(grace_s), hurry=functools.partial(_hurry, server))
        if not stop.requested:
            raise _ended(server)


async def _hurry(server: EngineServer) -> None:
    logger.warning("asked again to stop: calls under way are broken off")
    await server.stop(0)


async def _wait_for_store(dsn: str, stop: StopRequest, wait_s: float) -> None:
    """Return when the store answers, or a stop was requested. One that cannot be
    reached may be about to start; where somebody has to correct something,
    waiting would not help. Raises StoreError."""
    from sched_server.store.port import StoreRefusedError, StoreUnavailableError
    from sched_server.store.postgres import PostgresMigrator

    migrator = PostgresMigrator(dsn)
    clock = asyncio.get_running_loop().time
    deadline = clock() + wait_s
    told = False
    while True:
        try:
            await _unless_stopped(stop, migrator.status())
        except StoreRefusedError:
            raise
        except StoreUnavailableError as error:
            left = deadline - clock()
            if left <= 0:
                raise
            if not told:
                console.say(f"{error}\nTrying again for {left:.0f} s.")
                told = True
            await _unless_stopped(stop, asyncio.sleep(min(_RETRY_S, left)))
        else:
            return
        if stop.requested:
            return


def _new_server(settings: EngineSettings) -> EngineServer:
    from sched_server import EngineServer

    return EngineServer(settings)


async def _start(server: EngineServer) -> None:
    from sched_server import EngineStartError

    try:
        await server.start()
    except EngineStartError as error:
        raise _explained(error) from error


async def _unless_stopped(stop: StopRequest, work: Coroutine[Any, Any, object]) -> bool:
    """Wait for the work, but break it off when a stop is requested. Returns
    whether it was done."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})


def _explained(error: EngineStartError) -> CliError:
    from sched_server.errors import EngineSettingsError

    if isinstance(error, EngineSettingsError):
        return UsageError(str(error))
    cause = error.__cause__
    known = explain(cause) if isinstance(cause, Exception) else None
    return known or CliError(str(error))


def _ended(server: EngineServer) -> CliError:
    failed = server.host.failed
    known = explain(failed) if failed is not None else None
    return known or CliError(f"This engine cannot go on: {failed}. Its log says more.")

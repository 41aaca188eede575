"""Postgres, Redis, and the ways of the engines to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import redis

from tests.chaos.disk import Disk
from tests.chaos.network import Namespaces
from tests.queue.redis_server import RedisServer
from tests.servers.postgres import PostgresServer
from tests.servers.proxy import Proxy

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack

    from tests.chaos.timeline import Timeline

_LOCALHOST = "127.0.0.1"
_TRIES = 5


class Servers:
    """All that engines need, closed by `stack`. `say` tells what cannot be had here."""

    def __init__(
        self, engines: int, timeline: Timeline, stack: AsyncExitStack, say: Callable[[str], None]
    ) -> None:
        self._timeline = timeline
        self.disk = Disk()
        stack.callback(self.disk.close)
        if not self.disk.mounted:
            say("no disk can be mounted here: a limit of file sizes stands for a full one")
        self.postgres = PostgresServer(within=self.disk.folder)
        stack.callback(self.postgres.remove)
        self.redis = RedisServer()
        stack.callback(self.redis.remove)
        self.namespaces = _namespaces(engines, say)
        if self.namespaces is not None:
            stack.callback(self.namespaces.close)
        hosts = [
            _LOCALHOST if self.namespaces is None else self.namespaces.outside(number)
            for number in range(engines)
        ]
        self.to_postgres = [Proxy(self.postgres.dsn, host=host) for host in hosts]
        queue = f"host={_LOCALHOST} port={self.redis.port}"
        self.to_redis = [Proxy(queue, host=host) for host in hosts]
        self.postgres_lock, self.redis_lock = asyncio.Lock(), asyncio.Lock()
        """Held by who does something to them."""

    async def start(self, stack: AsyncExitStack) -> None:
        await asyncio.to_thread(self.postgres.start)
        await asyncio.to_thread(self.redis.start)
        for proxy in (*self.to_postgres, *self.to_redis):
            await proxy.start()
            stack.push_async_callback(proxy.stop)

    def engine_host(self, number: int) -> str:
        return _LOCALHOST if self.namespaces is None else self.namespaces.inside(number)

    def redis_url(self, number: int) -> str:
        host = _LOCALHOST if self.namespaces is None else self.namespaces.outside(number)
        return f"redis://{host}:{self.to_redis[number].port}"

    def engine_prefix(self, number: int) -> list[str]:
        return [] if self.namespaces is None else self.namespaces.prefix(number)

    def cut(self, number: int) -> None:
        """This engine is alone in the world."""
        if self.namespaces is not None:
            self.namespaces.cut(number)
        else:
            self.to_postgres[number].swallow()
            self.to_redis[number].swallow()

    def heal(self, number: int) -> None:
        if self.namespaces is not None:
            self.namespaces.heal(number)
        else:
            self.to_postgres[number].heal()
            self.to_redis[number].heal()

    async def kill_postgres(self) -> None:
        if self.postgres.alive:
            await asyncio.to_thread(self.postgres.crash)

    async def revive_postgres(self) -> None:
        """It may have died of a full disk, or need more than one try behind that."""
        for attempt in range(_TRIES):
            if self.postgres.alive and await asyncio.to_thread(self._answers):
                return
            await asyncio.to_thread(self.postgres.stop)
            try:
                await asyncio.to_thread(self.postgres.start)
            except RuntimeError:
                if attempt == _TRIES - 1:
                    raise
                self._timeline.add("Postgres", "does not start; once more")

    def _answers(self) -> bool:
        """A server that recovers from a crash says so, until it answers."""
        for _ in range(100):
            try:
                psycopg.connect(self.postgres.dsn, connect_timeout=5).close()
            except psycopg.OperationalError:
                if not self.postgres.alive:
                    return False
            else:
                return True
        return False

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """As an administrator, past the proxies. Nothing, when the server does not answer."""
        try:
            with psycopg.connect(
                self.postgres.dsn, autocommit=True, connect_timeout=2
            ) as connection:
                return list(connection.execute(query).fetchall())
        except psycopg.Error:
            return []

    def wipe_redis(self) -> bool:
        """False: it is not there to be wiped."""
        with redis.Redis(port=self.redis.port, socket_timeout=2) as client:
            try:
                client.flushall()
            except redis.RedisError:
                return False
        return True


def _namespaces(engines: int, say: Callable[[str], None]) -> Namespaces | None:
    try:
        return Namespaces(engines)
    except Exception as error:
        say(f"no network namespaces here ({error}): proxies swallow instead")
        return None

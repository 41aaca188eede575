"""Breaks what the plan says, when it says so, and heals it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.chaos.members import Member
    from tests.chaos.plan import Fault
    from tests.chaos.servers import Servers
    from tests.chaos.timeline import Timeline

_SLOW_S = 0.15
_LEADER = "SELECT address FROM sched.leaders WHERE session_pid <> 0"
_END_LOCK_SESSION = (
    "SELECT pg_terminate_backend(session_pid) FROM sched.leaders WHERE session_pid <> 0"
)
_END_ALL_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


class Injector:
    def __init__(
        self, servers: Servers, engines: list[Member], workers: list[Member], timeline: Timeline
    ) -> None:
        self._servers = servers
        self._engines = engines
        self._workers = workers
        self._timeline = timeline
        self._until_s = 0.0
        self._do: dict[str, Callable[[Fault, int], Awaitable[None]]] = {
            "kill engine": lambda fault, i: self._kill(self._engines[i], fault),
            "freeze engine": lambda fault, i: self._freeze(self._engines[i], fault),
            "stop engine": lambda fault, i: self._stop(self._engines[i], fault),
            "cut engine off": self._cut_off,
            "swallow engine-Postgres": lambda fault, i: self._swallow("postgres", fault, i),
            "break engine-Postgres": lambda fault, i: self._break("postgres", fault, i),
            "slow engine-Postgres": self._slow,
            "swallow engine-Redis": lambda fault, i: self._swallow("redis", fault, i),
            "break engine-Redis": lambda fault, i: self._break("redis", fault, i),
            "end lock session": lambda fault, _: self._end_sessions(_END_LOCK_SESSION, fault),
            "end all sessions": lambda fault, _: self._end_sessions(_END_ALL_SESSIONS, fault),
            "kill worker": lambda fault, i: self._kill(self._workers[i], fault),
            "freeze worker": lambda fault, i: self._freeze(self._workers[i], fault),
            "stop worker": lambda fault, i: self._stop(self._workers[i], fault),
            "kill Postgres": self._kill_postgres,
            "fill disk": self._fill_disk,
            "kill Redis": self._kill_redis,
            "wipe Redis": self._wipe_redis,
            "freeze Redis": self._freeze_redis,
        }

    async def run(self, faults: tuple[Fault, ...], until_s: float) -> None:
        """Returns when everything is healed. Nothing begins behind `until_s`."""
        self._until_s = until_s
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                await asyncio.sleep(max(0.0, fault.at_s - self._timeline.time()))
                if self._timeline.violations:
                    break
                group.create_task(self._inject(fault))

    async def _inject(self, fault: Fault) -> None:
        number = await self._leader() if fault.number < 0 else fault.number
        await self._do[fault.kind](fault, number)

    async def _leader(self) -> int:
        """The first, when nobody says who it is."""
        rows = await asyncio.to_thread(self._servers.ask, _LEADER)
        address = str(rows[0][0]) if rows else ""
        for number, engine in enumerate(self._engines):
            if address in engine.arguments:
                return number
        return 0

    @asynccontextmanager
    async def _claimed(self, lock: asyncio.Lock) -> AsyncIterator[bool]:
        """Wait until nobody else does something to it. False: the time of faults is over."""
        async with lock:
            yield self._timeline.time() < self._until_s

    @contextmanager
    def _told(self, fault: Fault, target: str) -> Iterator[None]:
        what = f"{fault.kind} {target}".strip()
        self._timeline.faults[fault.kind] += 1
        self._timeline.add("FAULT", f"{what} for {fault.length_s:g} s")
        self._timeline.under_way[what] = self._timeline.time()
        try:
            yield
        finally:
            self._timeline.under_way.pop(what, None)
            self._timeline.add("FAULT", f"{what} is over")

    # --- processes -------------------------------------------------------------------

    async def _kill(self, member: Member, fault: Fault) -> None:
        async with self._claimed(member.lock) as may:
            if may:
                with self._told(fault, member.name):
                    member.kill()
                    await asyncio.sleep(fault.length_s)
                    self._renew(member)

    async def _freeze(self, member: Member, fault: Fault) -> None:
        async with self._claimed(member.lock) as may:
            if may:
                with self._told(fault, member.name):
                    member.freeze()
                    try:
                        await asyncio.sleep(fault.length_s)
                    finally:
                        member.thaw()

    async def _stop(self, member: Member, fault: Fault) -> None:
        async with self._claimed(member.lock) as may:
            if may:
                with self._told(fault, member.name):
                    await member.stop()
                    await asyncio.sleep(fault.length_s)
                    self._renew(member)

    def _renew(self, member: Member) -> None:
        """Whoever comes back has the newest code."""
        member.arguments = [part.replace("app_before.py", "app.py") for part in member.arguments]
        member.start()

    # --- wires -----------------------------------------------------------------------

    async def _cut_off(self, fault: Fault, number: int) -> None:
        with self._told(fault, f"engine-{number}"):
            await asyncio.to_thread(self._servers.cut, number)
            try:
                await asyncio.sleep(fault.length_s)
            finally:
                self._servers.heal(number)

    async def _swallow(self, way: str, fault: Fault, number: int) -> None:
        proxies = self._servers.to_postgres if way == "postgres" else self._servers.to_redis
        with self._told(fault, f"of engine-{number}"):
            proxies[number].swallow()
            try:
                await asyncio.sleep(fault.length_s)
            finally:
                proxies[number].heal()

    async def _break(self, way: str, fault: Fault, number: int) -> None:
        proxies = self._servers.to_postgres if way == "postgres" else self._servers.to_redis
        with self._told(fault, f"of engine-{number}"):
            proxies[number].cut()

    async def _slow(self, fault: Fault, number: int) -> None:
        with self._told(fault, f"of engine-{number}"):
            proxy = self._servers.to_postgres[number]
            proxy.delay_s = _SLOW_S
            try:
                await asyncio.sleep(fault.length_s)
            finally:
                proxy.delay_s = 0.0

    async def _end_sessions(self, query: str, fault: Fault) -> None:
        with self._told(fault, ""):
            await asyncio.to_thread(self._servers.ask, query)

    # --- servers ---------------------------------------------------------------------

    async def _kill_postgres(self, fault: Fault, number: int) -> None:
        async with self._claimed(self._servers.postgres_lock) as may:
            if may:
                with self._told(fault, ""):
                    await self._servers.kill_postgres()
                    await asyncio.sleep(fault.length_s)
                    await self._servers.revive_postgres()

    async def _fill_disk(self, fault: Fault, number: int) -> None:
        servers = self._servers
        async with self._claimed(servers.postgres_lock) as may:
            if may:
                with self._told(fault, ""):
                    await asyncio.to_thread(servers.disk.fill, servers.postgres.processes)
                    try:
                        await asyncio.sleep(fault.length_s)
                    finally:
                        servers.disk.free(servers.postgres.processes)
                    await servers.revive_postgres()

    async def _kill_redis(self, fault: Fault, number: int) -> None:
        async with self._claimed(self._servers.redis_lock) as may:
            if may:
                with self._told(fault, ""):
                    self._servers.redis.kill()
                    await asyncio.sleep(fault.length_s)
                    await asyncio.to_thread(self._servers.redis.start)

    async def _wipe_redis(self, fault: Fault, number: int) -> None:
        async with self._claimed(self._servers.redis_lock) as may:
            if may and await asyncio.to_thread(self._servers.wipe_redis):
                with self._told(fault, ""):
                    pass

    async def _freeze_redis(self, fault: Fault, number: int) -> None:
        async with self._claimed(self._servers.redis_lock) as may:
            if may:
                with self._told(fault, ""):
                    self._servers.redis.freeze()
                    try:
                        await asyncio.sleep(fault.length_s)
                    finally:
                        self._servers.redis.thaw()

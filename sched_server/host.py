"""Leading when it may, standing by otherwise.

    STANDBY ──may lead──▶ RECOVERING ──recovered──▶ LEADER
       ▲                      │ store failed            │ lost, fenced
       └──────────────────────┴─────────────────────────┘

A term is one leadership: its own `Engine` with its own epoch, built from rows
and thrown away when the term ends. Whatever the old term still wanted to write
is fenced off by the next one's epoch.
"""

from __future__ import annotations

import asyncio
import logging
from enum import IntEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from sched_server.census import Census
from sched_server.engine import Engine
from sched_server.errors import Unavailable
from sched_server.machine import Machine
from sched_server.observability.measures import Measures
from sched_server.store.port import (
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
    StoreVersionError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_server.backend import Backend
    from sched_server.leadership.port import Leadership
    from sched_server.observability.tracing import Tracing
    from sched_server.settings import EngineSettings

logger = logging.getLogger("sched.engine")

# Before another try to lead after a term that could not begin.
_PAUSE_S = 0.2


class Role(IntEnum):
    """Numbers as in the API."""

    LEADER = 1
    STANDBY = 2
    RECOVERING = 3


class Standing(Struct, frozen=True):
    """What an engine is to its cluster at the moment."""

    role: Role
    epoch: int = 0
    """Of its own term; 0 unless it leads."""
    leader: str = ""
    """The address of the engine that leads; empty if nobody does, as far as known."""


class NotLeading(Unavailable):
    """This engine stands by; `leader` is the address of the one that leads, if known."""

    def __init__(self, message: str, leader: str = "") -> None:
        super().__init__(message)
        self.leader = leader


class EngineHost:
    """Runs the terms of one engine process."""

    def __init__(
        self,
        settings: EngineSettings,
        backend: Backend,
        address: str,
        on_change: Callable[[Engine | None], None],
        *,
        machine: Machine | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`on_change` hears of every beginning (with the engine) and end (None)
        of a term, before anybody else can notice."""
        self._settings = settings
        self._backend = backend
        self._address = address
        self._on_change = on_change
        self._machine = Machine() if machine is None else machine
        self.wall_us = self._machine.wall_us
        """The time of day, for people."""
        self.started_us = self.wall_us()
        self._tracing = tracing
        self._engine: Engine | None = None
        self._leadership: Leadership | None = None
        self._running: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._known_leader = ""
        self._listeners: list[Callable[[Standing], None]] = []
        self._followed = False
        """Another engine has led since this one last did."""
        self.measures = Measures()
        self.failovers = 0
        """How often this process has taken over from another engine."""
        self.standing = Standing(Role.STANDBY)
        self.census = Census(self)
        self.terms = 0
        """How often this process has led."""
        self.failed: Exception | None = None
        """Why the terms ended for good, if they did by themselves."""

    def start(self) -> asyncio.Task[None]:
        """Begin to campaign; the task ends when no further term can come."""
        self._running = asyncio.get_running_loop().create_task(self._run())
        return self._running

    @property
    def role(self) -> Role:
        return self.standing.role

    def on_standing(self, listener: Callable[[Standing], None]) -> None:
        """Call `listener` now, and whenever the standing has changed."""
        self._listeners.append(listener)
        listener(self.standing)

    def leading(self) -> Engine:
        """The engine of the current term. Raises NotLeading."""
        engine = self._engine
        if engine is not None and engine.holds():
            return engine
        if self.role is Role.RECOVERING:
            raise NotLeading("this engine is taking over; try again in a moment")
        leader = self._known_leader
        where = f"; the leader is at {leader}" if leader else ""
        raise NotLeading(f"this engine stands by{where}", leader)

    @property
    def engine(self) -> Engine | None:
        return self._engine

    @property
    def leadership(self) -> Leadership | None:
        return self._leadership

    @property
    def backend(self) -> Backend:
        return self._backend

    async def stop(self) -> None:
        """Commit what was promised, and let another lead at once."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self.census.close()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()
        if self._leadership is not None:
            await self._leadership.resign()

    async def _run(self) -> None:
        watching = asyncio.get_running_loop().create_task(self._watch_leader())
        try:
            while True:
                await self._term()
                if self._backend.solo:
                    return  # nobody else could lead; a restart makes a new process
        except Exception as error:
            refused = isinstance(error, StoreRefusedError | StoreVersionError)
            logger.error("this engine cannot go on: %s", error, exc_info=not refused)
            self.failed = error
            self._end_term()
        finally:
            watching.cancel()

    async def _term(self) -> None:
        self._over.clear()
        leadership = self._leadership = self._backend.leadership(self._address, self._machine)
        leadership.on_lost(self._lost)
        await leadership.campaign()
        self._stand(Role.RECOVERING)
        engine = Engine(
            self._settings,
            self._backend.store,
            self._backend.queue(),
            self._over.set,
            holds=leadership.holds,
            measures=self.measures,
            machine=self._machine,
            tracing=self._tracing,
        )
        try:
            await engine.open(self._address)
            await leadership.confirm(engine.group.epoch)
        except StoreError as error:
            if self._backend.solo:
                raise
            # A server that goes down may grant the lock with its last breath.
            passes = isinstance(error, StoreUnavailableError)
            refused = isinstance(error, StoreRefusedError)
            level = logging.WARNING if passes and not refused else logging.ERROR
            logger.log(level, "taking over failed, trying again: %s", error)
            await self._retire(engine, leadership)
            await asyncio.sleep(_PAUSE_S * self._machine.random.uniform(0.5, 1.5))
            return
        self._engine = engine
        self.terms += 1
        self.failovers += self._followed
        self._followed = False
        self._on_change(engine)
        self._stand(Role.LEADER)
        logger.info("leads, epoch %d", engine.group.epoch)
        await self._over.wait()
        self._end_term()
        await self._retire(engine, leadership)

    def _end_term(self) -> None:
        self._engine = None
        self._on_change(None)
        self._stand(Role.STANDBY)

    def _stand(self, role: Role) -> None:
        """The role, or what is known of the leader, may have changed."""
        if role is Role.LEADER:
            assert self._engine is not None
            standing = Standing(role, self._engine.group.epoch, self._address)
        else:
            others_lead = role is Role.STANDBY
            standing = Standing(role, leader=self._known_leader if others_lead else "")
        if standing == self.standing:
            return
        self.standing = standing
        for listener in self._listeners:
            listener(standing)

    async def _retire(self, engine: Engine, leadership: Leadership) -> None:
        await engine.abandon()
        await leadership.resign()
        self._leadership = None
        self._stand(Role.STANDBY)

    def _lost(self, reason: str) -> None:
        logger.warning("lost the leadership: %s", reason)
        self._over.set()

    async def _watch_leader(self) -> None:
        """Know whom to name while standing by."""
        while True:
            leadership = self._leadership
            if leadership is not None and self._engine is None:
                try:
                    leader = await leadership.leader()
                except StoreError:
                    leader = None
                # A row of its own is left from its last term, or its last process.
                other = leader is not None and leader.alive and leader.address != self._address
                self._known_leader = leader.address if leader is not None and other else ""
                if self._engine is None:
                    self._followed |= other
                    self._stand(self.role)
            await asyncio.sleep(_PAUSE_S)

"""What the database knows of the cluster, asked for people.

People ask how a cluster is when something is wrong with it, and often that is
the database. So an answer is waited for only so long; then what was known
before is told, and that the database does not answer. However many ask, one
reading is under way.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sched_server.core.values import Status
from sched_server.store.port import RunFilter, StoreError, StoreStatus

if TYPE_CHECKING:
    from sched_server.host import EngineHost
    from sched_server.leadership.port import CandidateInfo, LeaderInfo
    from sched_server.store.port import TaskKey

_PATIENCE_S = 1.5
_OPEN_RUNS = RunFilter(statuses=(int(Status.RUNNING),))


class Findings(Struct, frozen=True):
    """What a reading found; what it did not get to is as it was before."""

    leader: LeaderInfo | None = None
    candidates: tuple[CandidateInfo, ...] = ()
    open_runs: int = 0
    ready_tasks: tuple[tuple[TaskKey, int], ...] = ()
    """On the engine that leads: what waits for workers."""


class Census:
    """Reads for one engine process, whatever its role."""

    def __init__(self, host: EngineHost) -> None:
        self._host = host
        self._findings = Findings()
        self._reading: asyncio.Task[str] | None = None

    async def take(self) -> tuple[Findings, StoreStatus]:
        """The newest findings, and how the database is, within two seconds."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read())
        reading = self._reading
        done, _ = await asyncio.wait([reading], timeout=_PATIENCE_S)
        store = self._host.backend.store
        problem = (
            reading.result()
            if done
            else f"{store.description} has not answered within {_PATIENCE_S:g} s; look at its "
            "load, its disk and the network."
        )
        findings, connected = self._findings, not problem
        if not connected:
            # Who leads and who waits is true only as long as somebody confirms it.
            findings = replace(findings, leader=None, candidates=())
        elif self._host.engine is not None:
            problem = store.trouble  # it reads, but perhaps its disk is full
        return findings, StoreStatus(
            connected=connected, last_error=problem, warnings=store.warnings
        )

    async def close(self) -> None:
        """Break off what is under way."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _read(self) -> str:
        """Why that could not be done; empty when it could."""
        while True:
            leadership = self._host.leadership
            try:
                await self._look()
            except StoreError as error:
                if self._host.leadership is leadership:
                    return str(error)
                # A term has ended under our hands, and took its connection with it.
            else:
                return ""

    async def _look(self) -> None:
        # Who leads first: that asks by a connection of its own, which says at once
        # and in its own words when there is no database.
        leadership = self._host.leadership
        if leadership is not None:
            leader = await leadership.leader()
            candidates = tuple(await leadership.candidates())
            self._findings = replace(self._findings, leader=leader, candidates=candidates)
        store = self._host.backend.store
        counts = await store.count_runs(_OPEN_RUNS)
        engine = self._host.engine
        ready = [] if engine is None else await store.ready_task_keys(engine.group.number)
        self._findings = replace(
            self._findings, open_runs=sum(counts.values()), ready_tasks=tuple(ready)
        )

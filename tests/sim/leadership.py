"""The leadership port on the simulated lock, by the rules of the one on Postgres.

Wait in the server for the lock; renew the row twice a second; trust in the lead
for five sixths of the lease; end the session of a leader that was silent for
the whole of it, by the candidate's own clock.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_server.leadership.port import CandidateInfo, LeaderInfo, Leadership
from sched_server.leadership.silence import Silence
from sched_server.store.port import StoreUnavailableError
from tests.sim.database import Lost
from tests.sim.sessions import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.database import Database
    from tests.sim.loop import Process

_RENEW_EVERY_S = 0.5
_LEASE_S = 3.0
_TRUST_S = _LEASE_S * 5 / 6


class SimLeadership(Leadership):
    def __init__(
        self,
        database: Database,
        process: Process,
        address: str,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._process = process
        self._address = address
        self._clock = clock
        self._session: Session | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._callbacks: list[Callable[[str], None]] = []
        self._confirmed: asyncio.Future[None] | None = None
        self._epoch = 0
        self._trusted_until = 0.0
        self._resigned = False

    async def campaign(self) -> None:
        while True:
            try:
                await self._campaign_once()
            except Lost:
                if self._resigned:
                    raise StoreUnavailableError("the candidacy was given up") from None
                await asyncio.sleep(0.3)
            else:
                return

    async def _campaign_once(self) -> None:
        database, process = self._database, self._process
        session = self._session = Session(process, self._address, self._wake.set)
        await database.do(process, database.lock.open, session)
        silence = Silence()
        while not await database.ask(process, lambda answer: database.lock.wait(session, answer)):
            seen = await database.do(process, database.lock.watch)
            if seen is None:
                continue
            now = self._clock()
            if silence.observe(seen, now) >= _LEASE_S:
                silence.begin(now)
                await database.do(process, database.lock.depose, seen[0])
        began = self._clock()
        await database.do(process, database.lock.seize, session)
        self._trusted_until = began + _TRUST_S
        self._renewing = asyncio.create_task(self._renew_until_lost(session))

    async def confirm(self, epoch: int) -> None:
        if not self.holds():
            raise StoreUnavailableError("the leadership was lost before it was confirmed")
        self._epoch = epoch
        self._confirmed = asyncio.get_running_loop().create_future()
        self._wake.set()
        await self._confirmed

    def holds(self) -> bool:
        return self._clock() < self._trusted_until

    def on_lost(self, callback: Callable[[str], None]) -> None:
        self._callbacks.append(callback)

    async def _renew_until_lost(self, session: Session) -> None:
        reason = "it was given up"
        try:
            while not self._resigned:
                try:
                    async with asyncio.timeout(_RENEW_EVERY_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                self._wake.clear()
                if not self._resigned:
                    await self._renew(session)
        except (Lost, TimeoutError) as error:
            reason = str(error) or "no answer in time"
        finally:
            self._lose(reason)

    async def _renew(self, session: Session) -> None:
        began = self._clock()
        left_s = self._trusted_until - began
        if left_s <= 0:
            raise Lost("this engine stood still for too long")
        epoch, confirmed = self._epoch, self._confirmed
        database = self._database
        async with asyncio.timeout(left_s):
            ours = await database.do(self._process, database.lock.renew, session, epoch)
        if not ours:
            raise Lost("another session has taken the leader's row")
        self._trusted_until = began + _TRUST_S
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)

    def _lose(self, reason: str) -> None:
        self._trusted_until = 0.0
        if self._confirmed is not None and not self._confirmed.done():
            self._confirmed.set_exception(
                StoreUnavailableError(f"the leadership was lost: {reason}")
            )
        callbacks, self._callbacks = self._callbacks, []
        if not self._resigned:
            for callback in callbacks:
                callback(reason)

    async def resign(self) -> None:
        self._resigned = True
        self._trusted_until = 0.0
        self._wake.set()
        if self._renewing is not None:
            await self._renewing
        session = self._session
        if session is not None:
            # Its connection is closed; the server learns of it when it can.
            lock = self._database.lock
            self._database.loop.world_later(
                self._database.network.delay(), lambda: lock.end(session, reason="resigned")
            )

    async def leader(self) -> LeaderInfo | None:
        try:
            return await self._database.do(self._process, self._read_leader)
        except Lost as error:
            raise StoreUnavailableError(str(error)) from error

    def _read_leader(self) -> LeaderInfo | None:
        lock = self._database.lock
        row = lock.row
        if row.session is None:
            return None
        age_s = self._database.loop.time() - row.renewed_at
        alive = age_s < _LEASE_S and not row.session.over
        return LeaderInfo(address=row.address, epoch=row.epoch, alive=alive)

    async def candidates(self) -> list[CandidateInfo]:
        sessions = self._database.lock.sessions
        return [CandidateInfo(address=session.address, since_us=0) for session in sessions]

"""Leadership by an advisory lock of a Postgres session.

    candidate ──the lock is granted──▶ leader ──connection lost, lease over──▶ lost
        ▲                                │
        └── waits again, half a second   └── raises a counter, twice a second,
            each time, and between waits     in the session that holds the lock
            looks whether the leader lives

A candidate waits *in* the server, so it is granted the lock in the moment in
which the leader's session ends: killed, crashed or resigned.

A leader that hangs keeps its session, and the lock. Candidates see that its
counter stands still; after `lease_s` by their own clock they end that session.
The leader counts as well: each renewal proves that it held the lock when the
renewal was sent, and it stops trusting in that a little before a candidate may
end it. So it has stopped when the next one begins, even if it was frozen: the
clock went on. (Should it not have, the epoch that every commit checks stops it.)
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import psycopg
from msgspec import Struct
from psycopg.types.numeric import Float8, Int4, Int8

from sched_server.leadership import statements as sql
from sched_server.leadership.port import CandidateInfo, LeaderInfo, Leadership
from sched_server.leadership.postgres_observer import Observer
from sched_server.leadership.silence import Silence
from sched_server.machine import lease_clock
from sched_server.store.port import StoreRefusedError, StoreUnavailableError
from sched_server.store.postgres.connection import (
    DEFAULT_SCHEMA,
    Connector,
    SessionLimits,
    cut,
    fetch_one,
)
from sched_server.store.postgres.failures import is_broken, store_error
from sched_server.store.postgres.pooler import check_sessions
from sched_server.store.postgres.schema import check_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from psycopg import AsyncConnection

__all__ = ["DEFAULT_LOCK_KEY", "PostgresLeadership"]

logger = logging.getLogger("sched.leadership")

DEFAULT_LOCK_KEY = 0x53636845644C6431
"""Of the advisory lock; the shard group is added. The lock is one of the database,
so clusters in different databases of a server do not meet, whatever their keys."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.3
"""Between attempts to reach the server; nobody serves before one of them succeeds."""


class _Session(Struct, frozen=True):
    """The session that holds the lock, or waits for it."""

    connection: AsyncConnection
    pid: int
    start: datetime


class PostgresLeadership(Leadership):
    """One engine's candidacy. After a loss, `campaign` may be called again.

    `address` is where clients reach this engine. The leader renews every
    `renew_every_s`; others end its session when it was silent for `lease_s`, and
    it stops by itself after five sixths of that. All engines of a cluster must
    use the same values, lock key, schema and role.

    Raises StoreRefusedError if the DSN cannot be read.
    """

    def __init__(
        self,
        dsn: str,
        *,
        address: str,
        shard_group: int = 0,
        schema: str = DEFAULT_SCHEMA,
        lock_key: int = DEFAULT_LOCK_KEY,
        renew_every_s: float = 0.5,
        lease_s: float = 3.0,
        clock: Callable[[], float] = lease_clock,
    ) -> None:
        self._connector = Connector(dsn, schema=schema)
        self._address = address
        self._group = Int4(shard_group)
        self._key = Int8(_signed(lock_key + shard_group))
        self._renew_every_s = renew_every_s
        self._lease_s = lease_s
        self._clock = clock
        self._trust_s = lease_s * 5 / 6
        self._observer = Observer(self._connector)
        self._session: _Session | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._callbacks: list[Callable[[str], None]] = []
        self._confirmed: asyncio.Future[None] | None = None
        self._epoch = 0
        self._trusted_until = 0.0
        self._resigned = False

    # --- the candidate -------------------------------------------------------------------

    async def campaign(self) -> None:
        """Wait until this engine may lead. A server that is away is waited for.

        Raises StoreVersionError if the schema is not of this version, StoreRefusedError
        for what somebody has to correct first (a password, a pooler that keeps no
        sessions, a leader with another lock key), and StoreUnavailableError after `resign`.
        """
        if self._renewing is not None:
            await self._renewing
            self._renewing = None  # or `resign` would take this candidate for a leader
        checked = False
        told = ""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                if not checked:
                    await check_sessions(self._connector)
                    checked = True
                await self._campaign_once()
            except StoreRefusedError:
                raise
            except StoreUnavailableError as error:
                if self._resigned:
                    raise StoreUnavailableError("The candidacy was given up.") from None
                # The same, every moment, for as long as a server is away, says no more.
                level = logging.DEBUG if str(error) == told else logging.WARNING
                logger.log(level, "cannot stand for election, trying again: %s", error)
                told = str(error)
            else:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _campaign_once(self) -> None:
        session = await self._begin_session()
        self._session = session
        try:
            if self._resigned:
                raise StoreUnavailableError("The candidacy was given up.")
            await self._stand(session)
            silence = Silence()
            while not await self._granted(session):
                await self._watch(session, silence)
            await self._refuse_rival(session)
            await self._seize(session)
        except BaseException as error:
            self._session = None
            await session.connection.close()
            if isinstance(error, psycopg.Error):
                raise store_error(error, self._connector.parts) from error
            raise

    async def _begin_session(self) -> _Session:
        limits = SessionLimits(statement_s=0, lock_s=self._renew_every_s)
        connection = await self._connector.connect(f"sched {self._address}", limits=limits)
        try:
            await self._connector.check_server(connection)
            await check_schema(connection, self._connector)
            await connection.execute(sql.WATCH_SESSION)
            identity = await fetch_one(connection, sql.IDENTIFY)
            assert identity is not None
        except BaseException as error:
            await connection.close()
            if isinstance(error, psycopg.Error):
                raise store_error(error, self._connector.parts) from error
            raise
        return _Session(connection, *identity)

    async def _stand(self, session: _Session) -> None:
        await session.connection.execute(sql.FORGET_CANDIDATES, [self._group])
        row = [self._group, Int4(session.pid), session.start, self._address]
        await session.connection.execute(sql.STAND, row)

    async def _granted(self, session: _Session) -> bool:
        # The server answers after `renew_every_s`; silence for longer means that it is away.
        timer = asyncio.get_running_loop().call_later(
            self._renew_every_s + self._lease_s, cut, session.connection
        )
        try:
            row = await fetch_one(session.connection, sql.WAIT, [self._key])
        finally:
            timer.cancel()
        return row is not None and bool(row[0])

    async def _watch(self, session: _Session, silence: Silence) -> None:
        """End the session of a leader that was silent for too long."""
        row = await fetch_one(session.connection, sql.WATCH, [self._key, self._group])
        if row is None:
            return  # free again
        pid, start, application, counter, address, is_candidate = row
        now = self._clock()
        if silence.observe((pid, start, counter), now) < self._lease_s:
            return
        silence.begin(now)
        if counter is None and not is_candidate:
            logger.warning(
                "the leader lock %#x is held by session %d (%s), which is of another cluster; "
                "give each cluster a key of its own (SCHED_LEADER_LOCK_KEY)",
                self._key,
                pid,
                application or "no name",
            )
            return
        logger.warning("ending the session of %s: silent for %g s", address, self._lease_s)
        await session.connection.execute(sql.DEPOSE, [Int4(pid), start])

    async def _refuse_rival(self, session: _Session) -> None:
        """Two engines with different lock keys would both lead, and take the epoch
        from each other for ever."""
        row = await fetch_one(session.connection, sql.RIVAL, [self._key, self._group])
        if row is not None:
            address, key = row
            raise StoreRefusedError(
                f"{self._connector.description} is led by the engine at {address}, with the lock "
                f"key {self._shown_key(key)}; this engine has {self._shown_key(self._key)}. Give "
                "all engines of a cluster the same --lock-key (SCHED_LEADER_LOCK_KEY), and another "
                "cluster a database of its own."
            )

    def _shown_key(self, key: int) -> str:
        return f"{(key - self._group) % (1 << 64):#x}"

    async def _seize(self, session: _Session) -> None:
        began = self._clock()
        row = [self._group, Int4(session.pid), session.start, self._address]
        await session.connection.execute(sql.SEIZE, row)
        self._epoch = 0
        self._trusted_until = began + self._trust_s
        self._renewing = asyncio.create_task(self._renew_until_lost(session))

    # --- the leader ------------------------------------------------------------------------

    async def confirm(self, epoch: int) -> None:
        """Announce the epoch. Raises StoreUnavailableError if the leadership was lost."""
        if not self.holds():
            raise StoreUnavailableError("The leadership was lost before it was confirmed.")
        self._epoch = epoch
        self._confirmed = asyncio.get_running_loop().create_future()
        self._wake.set()
        await self._confirmed

    def holds(self) -> bool:
        return self._clock() < self._trusted_until

    def on_lost(self, callback: Callable[[str], None]) -> None:
        self._callbacks.append(callback)

    async def _renew_until_lost(self, session: _Session) -> None:
        """The only user of the lock's session while it leads."""
        reason = "it was given up"
        try:
            while not self._resigned:
                await self._quiet(session)
                if not self._resigned:
                    await self._renew(session)
            await self._let_go(session)
        except (psycopg.Error, _LostError) as error:
            reason = str(error) or type(error).__name__
        finally:
            self._lose(reason)
            self._session = None
            await session.connection.close()

    async def _quiet(self, session: _Session) -> None:
        """Until it is time to renew, or the server has something to say, which in
        an idle session is good-bye."""
        loop = asyncio.get_running_loop()
        descriptor = session.connection.pgconn.socket
        timer = loop.call_later(self._renew_every_s, self._wake.set)
        loop.add_reader(descriptor, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            loop.remove_reader(descriptor)
            timer.cancel()
            self._wake.clear()

    async def _renew(self, session: _Session) -> None:
        began = self._clock()
        left_s = self._trusted_until - began
        if left_s <= 0:
            raise _LostError(f"this engine stood still for more than {self._trust_s:g} s")
        epoch, confirmed = self._epoch, self._confirmed
        timer = asyncio.get_running_loop().call_later(left_s, cut, session.connection)
        try:
            row = await fetch_one(
                session.connection,
                sql.RENEW,
                [self._group, Int4(session.pid), session.start, Int8(epoch)],
            )
        except psycopg.Error as error:
            if is_broken(error, session.connection):
                raise
            logger.warning("cannot renew the leadership, trying again: %s", error)
            return
        finally:
            timer.cancel()
        if row is None:
            raise _LostError("another session has taken the leader's row")
        self._trusted_until = began + self._trust_s
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)

    def _lose(self, reason: str) -> None:
        self._trusted_until = 0.0
        if self._confirmed is not None and not self._confirmed.done():
            self._confirmed.set_exception(
                StoreUnavailableError(f"The leadership was lost before it was confirmed: {reason}.")
            )
        callbacks, self._callbacks = self._callbacks, []
        if self._resigned:
            return
        logger.warning("the leadership is lost: %s", reason)
        for callback in callbacks:
            callback(reason)

    # --- giving up ---------------------------------------------------------------------------

    async def resign(self) -> None:
        self._resigned = True
        self._trusted_until = 0.0
        renewing, self._renewing = self._renewing, None
        if renewing is not None:
            self._wake.set()
            await renewing
        elif self._session is not None:
            cut(self._session.connection)
        await self._observer.close()

    async def _let_go(self, session: _Session) -> None:
        timer = asyncio.get_running_loop().call_later(self._trust_s, cut, session.connection)
        try:
            await session.connection.execute(
                sql.RESIGN, [self._group, Int4(session.pid), session.start, self._key]
            )
        finally:
            timer.cancel()

    # --- who leads, who waits ------------------------------------------------------------------

    async def leader(self) -> LeaderInfo | None:
        """Raises StoreUnavailableError."""
        rows = await self._observer.ask(sql.READ_LEADER, [self._group, Float8(self._lease_s)])
        if not rows:
            return None
        address, epoch, alive = rows[0]
        return LeaderInfo(address=address, epoch=epoch, alive=alive)

    async def candidates(self) -> list[CandidateInfo]:
        """The first first. Raises StoreUnavailableError."""
        rows = await self._observer.ask(sql.READ_CANDIDATES, [self._group])
        return [CandidateInfo(address=address, since_us=since_us) for address, since_us in rows]


class _LostError(Exception):
    """The leadership is lost although the connection lives."""


def _signed(key: int) -> int:
    """An advisory lock's key is a signed integer of 64 bits."""
    return (key + (1 << 63)) % (1 << 64) - (1 << 63)

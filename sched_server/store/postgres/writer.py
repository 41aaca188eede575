"""The one connection that writes, and what to do when it breaks.

A commit is one statement. If the server answers, the answer is the outcome. If
the connection breaks first, the statement may have happened, may be about to
happen, or never will; then

    connect again -> raise our own epoch, if it still is the one we know
                  -> read which batch was the last under the old one

Raising the epoch waits for the statement that is still under way (it holds the
row locked) and shuts out one that has not begun. So what is read afterwards is
final. The engine goes on with the epoch of its lease; that it stands for a
higher one in the database is known here only.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import struct
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from msgspec import Struct
from psycopg.types.numeric import Int4, Int8

from sched_server.store.open_runs import judge, opens
from sched_server.store.port import FencedError, StoreLease, StoreUnavailableError
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.arrays import int4_array, int8_array, text_array
from sched_server.store.postgres.batch import batch_query, expected_event_id
from sched_server.store.postgres.connection import SessionLimits, cut, fetch, fetch_one
from sched_server.store.postgres.failures import is_broken, passes, store_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from psycopg import AsyncConnection

    from sched_server.store.port import CommitBatch, CommitGroup
    from sched_server.store.postgres.connection import Connector

__all__ = ["Writer"]

T = TypeVar("T")

logger = logging.getLogger("sched.store")

_KEYS_PER_GROUP = 1 << 40
"""Each shard group hands out run keys from a range of its own."""

_KEPT_LEASES = 100
_TRIES = 4
"""How often a statement is sent that failed without effect and may succeed."""

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
"""Between attempts to reach the server, when an outcome is unknown."""

_PATIENCE_S = 3.0
"""So much longer than the server allows a statement we wait for its answer."""


class _LostError(Exception):
    """The connection broke; what was asked may have happened."""


class _FailedError(Exception):
    """Nothing happened; the same may succeed at once."""


class _Current(Struct):
    """The epoch that stands in the database for that of a lease."""

    epoch: int
    batches: int = 0
    """How many were sent under it."""


class Writer:
    """Commits, and takes leases. One call at a time; others wait for their turn.

    `statement_s` and `lock_s` bound what the server spends on a commit and on
    waiting for a lock, in seconds.
    """

    def __init__(self, connector: Connector, *, statement_s: float, lock_s: float) -> None:
        self._connector = connector
        self._limits = SessionLimits(statement_s=statement_s, lock_s=lock_s)
        self._holder = secrets.token_hex(16)
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self._closing = asyncio.Event()
        self._current: dict[tuple[int, int], _Current] = {}

    async def open(self) -> AsyncConnection:
        """Connect; the connection is lent for checks. Raises StoreUnavailableError
        and StoreVersionError."""
        self._closing.clear()
        return await self._connected()

    def hurry(self) -> None:
        """From now on do not wait for a server that is away."""
        self._closing.set()

    async def close(self) -> None:
        """Finish what is under way."""
        self.hurry()
        async with self._turn:
            await self._drop()

    # --- leases ------------------------------------------------------------------------

    async def acquire(self, shard_group: int, address: str) -> StoreLease:
        async with self._turn:
            # To raise the epoch twice, because an answer was lost, does no harm.
            epoch, next_run_key, now_us, advanced_us = await self._repeated(
                lambda connection: self._acquire(connection, shard_group, address)
            )
        self._current = {
            key: current for key, current in self._current.items() if key[0] != shard_group
        }
        self._current[shard_group, epoch] = _Current(epoch)
        return StoreLease(
            shard_group=shard_group,
            epoch=epoch,
            next_run_key=next_run_key,
            now_us=now_us + advanced_us,
            advanced_us=advanced_us,
        )

    async def _acquire(
        self, connection: AsyncConnection, shard_group: int, address: str
    ) -> tuple[int, int, int, int]:
        async with connection.transaction():
            raised = await fetch_one(connection, sql.RAISE_EPOCH, [Int4(shard_group)])
            assert raised is not None
            (epoch,) = raised
            next_run_key, now_us, advanced_us = await self._begin_lease(
                connection, shard_group, epoch, self._holder, address
            )
            old = [Int4(shard_group), Int8(epoch - _KEPT_LEASES)]
            await connection.execute(sql.DELETE_LEASES, old)
        return epoch, next_run_key, now_us, advanced_us

    async def _begin_lease(
        self,
        connection: AsyncConnection,
        shard_group: int,
        epoch: int,
        holder: str,
        address: str,
    ) -> tuple[int, int, int]:
        first = Int8(shard_group * _KEYS_PER_GROUP + 1)
        begun = await fetch_one(
            connection,
            sql.BEGIN_LEASE,
            [Int4(shard_group), Int8(epoch), holder, address, first],
        )
        assert begun is not None
        next_run_key, now_us, advanced_us = begun
        return next_run_key, now_us, advanced_us

    async def advance_clock(self, shard_group: int, epoch: int, advanced_us: int) -> None:
        async with self._turn:
            current = self._current.get((shard_group, epoch)) or _Current(epoch)
            values = [Int4(shard_group), Int8(current.epoch), str(advanced_us)]
            if not await self._ask(sql.ADVANCE_CLOCK, values):
                await self._check_fence(shard_group, current)

    # --- commits -----------------------------------------------------------------------

    async def commit(self, batch: CommitBatch) -> list[bool]:
        keys = [change.run_key for group in batch.groups for change in group.changes]
        if len(set(keys)) != len(keys):
            raise ValueError("A batch holds two changes of one run; they must be netted to one.")
        key = (batch.shard_group, batch.epoch)
        async with self._turn:
            current = self._current.get(key)
            if current is None:
                # A lease of an earlier life of this store. Its numbers must differ
                # from those that were used then.
                current = _Current(batch.epoch, secrets.randbits(62))
                self._current[key] = current
            if not keys:
                await self._check_fence(batch.shard_group, current)
                return [True] * len(batch.groups)
            return await self._commit(batch, current)

    async def _commit(self, batch: CommitBatch, current: _Current) -> list[bool]:
        """Write what applies: first everything, and if something stands against
        it, what is left after a look at the reasons."""
        applied = [True] * len(batch.groups)
        look_first = _opens_twice(batch.groups)
        for _ in range(_TRIES):
            groups = batch.groups
            if look_first:
                applied = await self._judge(batch.groups)
                groups = [group for group, ok in zip(groups, applied, strict=True) if ok]
            if not any(group.changes for group in groups):
                await self._check_fence(batch.shard_group, current)
                return applied
            if await self._write(batch.shard_group, current, groups):
                return applied
            look_first = True
        raise StoreUnavailableError(
            f"{self._connector.description}: rows change while they are written, although only "
            "this engine may write them. Look who else does. Nothing was written."
        )

    async def _check_fence(self, shard_group: int, current: _Current) -> None:
        rows = await self._ask(sql.READ_EPOCH, [Int4(shard_group)])
        found = rows[0][0] if rows else None
        if found != current.epoch:
            raise _fenced(shard_group, current.epoch, found)

    async def _judge(self, groups: Sequence[CommitGroup]) -> list[bool]:
        changes = [change for group in groups for change in group.changes]
        rows = await self._ask(
            sql.LOOK,
            [
                int8_array([change.run_key for change in changes]),
                int4_array([expected_event_id(change) for change in changes]),
                text_array(
                    [change.created.workflow_id for change in changes if change.created is not None]
                ),
            ],
        )
        unexpected = {run_key for run_key, workflow_id in rows if workflow_id is None}
        open_runs = {name: run_key for run_key, name in rows if name is not None}
        return judge(groups, unexpected, open_runs)

    async def _write(
        self, shard_group: int, current: _Current, groups: Sequence[CommitGroup]
    ) -> bool:
        """Whether it was written; if not, something stands against it."""
        for attempt in range(_TRIES):
            connection = await self._connected()
            current.batches += 1
            try:
                return await self._send(connection, shard_group, current, groups)
            except _LostError as error:
                if await self._resolve(shard_group, current, error):
                    return True
            except _FailedError as error:
                if attempt == _TRIES - 1:
                    raise store_error(_cause(error), self._connector.parts) from error
        raise StoreUnavailableError(
            f"{self._connector.description} lost the connection {_TRIES} times in a row. "
            "Nothing was written."
        )

    async def _send(
        self,
        connection: AsyncConnection,
        shard_group: int,
        current: _Current,
        groups: Sequence[CommitGroup],
    ) -> bool:
        try:
            statement, parameters = batch_query(shard_group, current.epoch, current.batches, groups)
        except (struct.error, UnicodeEncodeError) as error:
            raise store_error(error, self._connector.parts) from error
        try:
            row = await self._bounded(connection, fetch_one(connection, statement, parameters))
        except Exception as error:
            if is_broken(error, connection):
                raise _LostError from error
            if passes(error):
                await self._drop()
                raise _FailedError from error
            raise store_error(error, self._connector.parts) from error
        assert row is not None
        holds, written, _ = row
        if not holds:
            raise _fenced(shard_group, current.epoch, None)
        return bool(written)

    # --- the unknown outcome -------------------------------------------------------------

    async def _resolve(self, shard_group: int, current: _Current, error: _LostError) -> bool:
        """Whether the batch that was under way was written. Returns when that is
        known, however long the server is away."""
        logger.warning(
            "%s lost the connection during a commit (%s); finding out what happened",
            self._connector.description,
            _cause(error),
        )
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._drop()
            try:
                connection = await self._connected()
                return await self._bounded(
                    connection, self._look_back(connection, shard_group, current)
                )
            except (psycopg.Error, StoreUnavailableError) as again:
                # Away, starting, full, a lock: there is no answer until that is over.
                logger.debug("no answer yet: %s", again)
            if self._closing.is_set():
                raise StoreUnavailableError(
                    f"{self._connector.description} went away during a commit, and the store was "
                    "closed before it came back. Whether the last batch was written is seen when "
                    "the next leader begins."
                )
            await self._pause(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _look_back(
        self, connection: AsyncConnection, shard_group: int, current: _Current
    ) -> bool:
        """Raise the epoch and read the last batch under the old one."""
        old_epoch, number = current.epoch, current.batches
        holder = f"{self._holder} after {old_epoch}"
        async with connection.transaction():
            raised = await fetch_one(
                connection, sql.RAISE_OWN_EPOCH, [Int4(shard_group), Int8(old_epoch)]
            )
            if raised is not None:
                await self._begin_lease(connection, shard_group, raised[0], holder, "")
        row = await fetch_one(connection, sql.READ_LEASES, [Int4(shard_group), Int8(old_epoch)])
        found, found_holder, last_batch = row if row is not None else (None, "", 0)
        written = bool(last_batch == number)
        # It may have been raised by an attempt of ours whose answer was lost as well.
        if found_holder == holder:
            current.epoch, current.batches = found, 0
        elif not written:
            raise _fenced(shard_group, old_epoch, found)
        return written

    # --- the connection --------------------------------------------------------------------

    async def _ask(self, statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
        return await self._repeated(lambda connection: fetch(connection, statement, parameters))

    async def _repeated(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Do what may be done twice, again if the connection breaks."""
        for tries_left in reversed(range(_TRIES)):
            connection = await self._connected()
            try:
                return await self._bounded(connection, work(connection))
            except Exception as error:
                broken = is_broken(error, connection)
                if broken:
                    await self._drop()
                if not broken or not tries_left:
                    raise store_error(error, self._connector.parts) from error
        raise AssertionError("unreachable")

    async def _connected(self) -> AsyncConnection:
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._connector.connect("sched writer", limits=self._limits)
            try:
                await connection.execute(sql.PREPARE_TO_COMMIT)
            except Exception as error:
                await connection.close()
                raise store_error(error, self._connector.parts) from error
            self._connection = connection
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            pass

    async def _bounded(self, connection: AsyncConnection, answer: Awaitable[T]) -> T:
        """Wait for an answer, but not for ever: the server's own limits do not
        help when the network swallows what it says."""
        limit_s = self._limits.statement_s + _PATIENCE_S
        timer = asyncio.get_running_loop().call_later(limit_s, cut, connection)
        try:
            return await answer
        finally:
            timer.cancel()


def _opens_twice(groups: Sequence[CommitGroup]) -> bool:
    """Whether one workflow id is opened more than once: only judging the groups
    in their order tells which of them may."""
    opened = [
        change.created.workflow_id
        for group in groups
        for change in group.changes
        if change.created is not None and opens(change)
    ]
    return len(set(opened)) != len(opened)


def _fenced(shard_group: int, epoch: int, found: int | None) -> FencedError:
    now = "" if found is None else f" (now: {found})"
    return FencedError(
        f"Epoch {epoch} of shard group {shard_group} is over{now}: another engine leads. "
        "Nothing was written."
    )


def _cause(error: BaseException) -> BaseException:
    return error.__cause__ or error

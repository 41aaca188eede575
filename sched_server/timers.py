"""Due times: a window of the stored timers in a heap, and one alarm.

The loop sleeps until the first entry is due; nothing polls, so nothing is late
by a polling interval. Timers beyond the window stay in the database until the
window moves. The window's end is raised before its rows are read, and entries
are idempotent, so a timer set meanwhile is not missed.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from typing import TYPE_CHECKING

from sched_server.core.values import TimerKind
from sched_server.store.port import StoreUnavailableError, TimerRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_server.clock import Clock
    from sched_server.observability.distribution import Distribution
    from sched_server.store.port import Store

logger = logging.getLogger("sched.engine")

WINDOW_US = 120_000_000
PAGE = 5_000
# Before another try when the store failed.
_STORE_PAUSE_S = 0.5
# Overdue after an outage, these wait for the workers to come back first.
_ATTEMPT_LIMITS = frozenset({TimerKind.START_TO_CLOSE, TimerKind.HEARTBEAT})

Key = tuple[int, int, int]


class TimerService:
    """The timers of one shard group.

    `fire(run_key, kind, seq)` is called when one is due; it may await.
    """

    def __init__(
        self,
        store: Store,
        shard_group: int,
        clock: Clock,
        fire: Callable[[int, TimerKind, int], Awaitable[None]],
        *,
        per_second: int,
        lateness: Distribution,
    ) -> None:
        self._store = store
        self._shard_group = shard_group
        self._clock = clock
        self._fire = fire
        self._burst = max(1, per_second // 50)
        self._lateness = lateness
        self._heap: list[tuple[int, Key]] = []
        self._due: dict[Key, int] = {}
        """What counts; heap entries that differ from it are stale."""
        self._window_end_us = 0
        self._alarm = asyncio.Event()
        self._firing = False

    @property
    def busy(self) -> bool:
        """Something is due, or being fired, or the window moves."""
        due = self._earliest()
        return self._firing or (due is not None and due <= self._clock.now_us())

    async def next_due_us(self, until_us: int) -> int | None:
        """When the earliest timer is due, if that is not after `until_us`."""
        due = self._earliest()
        if until_us > self._window_end_us and (due is None or due > self._window_end_us):
            rows = await self._store.due_timers(
                self._shard_group,
                due_until_us=until_us,
                after=TimerRow(0, 0, 0, self._window_end_us),
                limit=1,
            )
            if rows and (due is None or rows[0].due_us < due):
                due = rows[0].due_us
        return due if due is not None and due <= until_us else None

    def clock_moved(self) -> None:
        """Look again what is due."""
        self._alarm.set()

    def _earliest(self) -> int | None:
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def set(self, run_key: int, kind: int, seq: int, due_us: int) -> None:
        """The timer is durable; replaces an earlier one of the same key."""
        key = (run_key, kind, seq)
        if due_us > self._window_end_us:
            self._due.pop(key, None)
        else:
            self._put(key, due_us)

    def restore(self, run_key: int, kind: int, seq: int, due_us: int) -> None:
        """Such a row was read a while ago. What is known of its key may be newer, or
        was put off, or has a grace; so it stands."""
        if (run_key, kind, seq) not in self._due:
            self.set(run_key, kind, seq, due_us)

    def put_off(self, run_key: int, kind: int, seq: int, due_us: int) -> None:
        """It came too early. Its row, which is not rewritten, lies behind the
        window, so it stays in memory however late it is."""
        self._put((run_key, kind, seq), due_us)

    def _put(self, key: Key, due_us: int) -> None:
        self._due[key] = due_us
        heapq.heappush(self._heap, (due_us, key))
        if self._heap[0][1] == key:
            self._alarm.set()

    def clear(self, run_key: int, kind: int, seq: int) -> None:
        self._due.pop((run_key, kind, seq), None)
        if len(self._heap) > 1_000 and len(self._heap) > 4 * len(self._due):
            self._heap = [entry for entry in self._heap if self._due.get(entry[1]) == entry[0]]
            heapq.heapify(self._heap)

    async def load(self, *, recovering_grace_us: int = 0) -> None:
        """Move the window on. When recovering, overdue limits of attempts get a
        grace in which their workers can report."""
        now = self._clock.now_us()
        start, self._window_end_us = self._window_end_us, now + WINDOW_US
        after: TimerRow | None = TimerRow(0, 0, 0, start) if start else None
        while True:
            rows = await self._store.due_timers(
                self._shard_group, due_until_us=self._window_end_us, after=after, limit=PAGE
            )
            for row in rows:
                due = row.due_us
                if recovering_grace_us and due < now and row.kind in _ATTEMPT_LIMITS:
                    due = now + recovering_grace_us
                self.restore(row.run_key, row.kind, row.seq, due)
            if len(rows) < PAGE:
                return
            after = rows[-1]

    async def run(self) -> None:
        """Fire what is due, for ever."""
        while True:
            wait_us = self._next_wait_us()
            if wait_us > 0:
                self._alarm.clear()
                try:
                    async with asyncio.timeout(wait_us / 1_000_000):
                        await self._alarm.wait()
                except TimeoutError:
                    pass
                continue
            self._firing = True
            fired = await self._fire_due()
            if fired >= self._burst:
                await asyncio.sleep(0.02)  # lets an outage's backlog through at a bounded rate
            if self._window_end_us - self._clock.now_us() < WINDOW_US // 2:
                await self._move_window()
            self._firing = False

    def _next_wait_us(self) -> int:
        now = self._clock.now_us()
        window_moves = self._window_end_us - WINDOW_US // 2 + 1
        if not self._heap:
            return window_moves - now
        return min(self._heap[0][0], window_moves) - now

    async def _fire_due(self) -> int:
        now = self._clock.now_us()
        fired = 0
        while self._heap and self._heap[0][0] <= now and fired < self._burst:
            due, key = heapq.heappop(self._heap)
            if self._due.get(key) != due:
                continue
            del self._due[key]
            fired += 1
            self._lateness.observe((now - due) / 1_000_000)
            try:
                await self._fire(key[0], TimerKind(key[1]), key[2])
            except StoreUnavailableError as error:
                # The duty stays, and its place before those that are due later.
                logger.warning("a due timer could not be read, trying again: %s", error)
                self._put(key, due)
                await asyncio.sleep(_STORE_PAUSE_S)
                return fired
            except Exception:
                # One run that cannot be read must not stop everybody's timers.
                logger.exception("timer %s of run %d could not be fired", key[1:], key[0])
        return fired

    async def _move_window(self) -> None:
        try:
            await self.load()
        except StoreUnavailableError as error:
            logger.warning("the next timers could not be read, trying again: %s", error)
            self._window_end_us -= WINDOW_US // 2
            await asyncio.sleep(_STORE_PAUSE_S)

"""Who waits for a run: for its end, or for its next event. Told after commits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sched_server.core.events import TerminalAttributes


class Watchers:
    """Waiters by run key, the first first; independent of the cache, so that a
    run that sleeps need not stay in memory for those who wait for it."""

    def __init__(self) -> None:
        self._results: dict[int, dict[asyncio.Future[TerminalAttributes], None]] = {}
        self._followers: dict[int, dict[asyncio.Event, None]] = {}

    def result(self, run_key: int) -> asyncio.Future[TerminalAttributes]:
        """A future for the run's end. Cancel it when you stop waiting."""
        future: asyncio.Future[TerminalAttributes] = asyncio.get_running_loop().create_future()
        self._results.setdefault(run_key, {})[future] = None
        future.add_done_callback(lambda done: self._forget(run_key, done))
        return future

    def _forget(self, run_key: int, future: asyncio.Future[TerminalAttributes]) -> None:
        waiting = self._results.get(run_key)
        if waiting is not None:
            waiting.pop(future, None)
            if not waiting:
                del self._results[run_key]

    def follow(self, run_key: int) -> asyncio.Event:
        """An event that is set whenever new events of the run are durable."""
        event = asyncio.Event()
        self._followers.setdefault(run_key, {})[event] = None
        return event

    def unfollow(self, run_key: int, event: asyncio.Event) -> None:
        followers = self._followers.get(run_key)
        if followers is not None:
            followers.pop(event, None)
            if not followers:
                del self._followers[run_key]

    def changed(self, run_key: int) -> None:
        for event in self._followers.get(run_key, ()):
            event.set()

    def closed(self, run_key: int, outcome: TerminalAttributes) -> None:
        for future in list(self._results.get(run_key, ())):
            if not future.done():
                future.set_result(outcome)

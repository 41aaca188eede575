"""Running a coroutine as a process's main duty, and being told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

ResultT = TypeVar("ResultT")


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run `main` on uvloop where that is installed, else on asyncio's own loop."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class StopRequest:
    """Set by the first SIGINT or SIGTERM."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._urgent = asyncio.Event()
        self.gently = False
        """SIGTERM (a service manager): finish what runs, within the grace
        period. SIGINT (a person who waits at a terminal): stop at once."""

    @property
    def requested(self) -> bool:
        """Whether it is time to stop."""
        return self._event.is_set()

    def request(self, *, gently: bool) -> None:
        """Ask to stop. A later, more urgent request overrides a gentle one."""
        self.gently = gently and (self.gently or not self._event.is_set())
        self._event.set()
        if not self.gently:
            self._urgent.set()

    async def wait(self) -> None:
        """Return when a stop was requested."""
        await self._event.wait()

    async def wait_until_urgent(self) -> None:
        """Return when a stop was requested that does not wait for anything."""
        await self._urgent.wait()


# A loop that has not noticed an interrupt for so long is blocked by user code.
_BLOCKED_AFTER_S = 1.5


@contextlib.contextmanager
def stop_on_signals(*signals: signal.Signals) -> Iterator[StopRequest]:
    """Turn these signals (SIGINT and SIGTERM if none are named) into a stop
    request while the block runs.

    An interrupt ends the process even if the loop is blocked and cannot take
    notice: what was in hand goes to another worker, as after any crash.
    """
    loop = asyncio.get_running_loop()
    stop = StopRequest()
    handled = signals or (signal.SIGINT, signal.SIGTERM)
    for number in handled:
        request = functools.partial(stop.request, gently=number is signal.SIGTERM)
        loop.add_signal_handler(number, request)
        if number is signal.SIGINT:
            # The loop hears of signals through a file descriptor; what Python
            # itself calls, between two instructions of whatever runs, is free.
            signal.signal(number, lambda *_: _leave_if_blocked(stop))
    try:
        yield stop
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _leave_if_blocked(stop: StopRequest) -> None:
    def leave() -> None:
        if not stop.requested:
            print("stopped while code was blocking the event loop", file=sys.stderr, flush=True)
            os._exit(0)

    timer = threading.Timer(_BLOCKED_AFTER_S, leave)
    timer.daemon = True
    timer.start()

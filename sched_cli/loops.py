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

from sched_cli import interrupts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

ResultT = TypeVar("ResultT")


def run(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run `main`, the duty of a server, on uvloop where that is installed, else on
    asyncio's own loop."""
    return _run(main, _loop_factory())


def run_once(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run `main` on asyncio's own loop, which is there sooner: for what asks once."""
    return _run(main, None)


def _run(
    main: Coroutine[Any, Any, ResultT], factory: Callable[[], asyncio.AbstractEventLoop] | None
) -> ResultT:
    try:
        interrupts.check()
    except KeyboardInterrupt:
        main.close()
        raise
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


# Programs such as timeout(1) send a signal to a process and to its group as well.
_SAME_REQUEST_S = 0.25


class StopRequest:
    """Set by the first SIGINT or SIGTERM; whoever sends another is in a hurry."""

    def __init__(self, *, repeats_hurry: bool = True) -> None:
        """`repeats_hurry`: a signal that comes again means more than it did before."""
        self._repeats_hurry = repeats_hurry
        self._clock = asyncio.get_running_loop().time
        self._requested = asyncio.Event()
        self._urgent = asyncio.Event()
        self._hurried = asyncio.Event()
        self._first_at = 0.0

    @property
    def requested(self) -> bool:
        """Whether it is time to stop."""
        return self._requested.is_set()

    @property
    def gently(self) -> bool:
        """SIGTERM (a service manager): finish what runs, within the grace period.
        SIGINT (a person who waits at a terminal), or a second signal: stop at once."""
        return self.requested and not self._urgent.is_set()

    def request(self, *, gently: bool) -> None:
        """Ask to stop; asked again, stop sooner."""
        if not self.requested:
            self._first_at = self._clock()
            self._requested.set()
        elif (self.gently and not gently) or self._comes_again():
            self._hurried.set()
            gently = False
        if not gently:
            self._urgent.set()

    def _comes_again(self) -> bool:
        return self._repeats_hurry and self._clock() - self._first_at > _SAME_REQUEST_S

    async def wait(self) -> None:
        """Return when a stop was requested."""
        await self._requested.wait()

    async def wait_until_urgent(self) -> None:
        """Return when a stop was requested that does not wait for anything."""
        await self._urgent.wait()

    async def carry_out(
        self, stopping: Coroutine[Any, Any, None], *, hurry: Callable[[], Awaitable[None]]
    ) -> None:
        """Do what stopping takes; call `hurry` if the stop is requested again meanwhile."""
        work = asyncio.ensure_future(stopping)
        hurried = asyncio.ensure_future(self._hurried.wait())
        try:
            await asyncio.wait({work, hurried}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await hurry()
            await work
        finally:
            hurried.cancel()


# A loop that has not noticed an interrupt for so long is blocked by user code.
_BLOCKED_AFTER_S = 1.5


@contextlib.contextmanager
def stop_on_signals(*signals: signal.Signals, repeats_hurry: bool = True) -> Iterator[StopRequest]:
    """Turn these signals (SIGINT and SIGTERM if none are named) into a stop
    request while the block runs. One that comes again makes it stop sooner.

    An interrupt ends the process even if the loop is blocked and cannot take
    notice: what was in hand goes to another worker, as after any crash.
    """
    loop = asyncio.get_running_loop()
    stop = StopRequest(repeats_hurry=repeats_hurry)
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

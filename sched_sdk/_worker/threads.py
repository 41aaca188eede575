"""Threads for plain functions.

The standard library's pool joins its threads when the interpreter exits, so
one stuck function would keep the process alive for ever. These are daemons:
whatever they still do when the process ends is abandoned, and the engine gives
it to another worker.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._client.machine import Machine

__all__ = ["ThreadPool", "Threads", "thread_pool"]

_Job = tuple["Callable[[], Any]", "asyncio.Future[Any]"]


class Threads(Protocol):
    """Where plain functions run."""

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run a function. Cancelling the future does not stop it."""
        ...

    def close(self) -> None:
        """No further function comes."""
        ...


def thread_pool(machine: Machine, size: int, name: str) -> Threads:
    """Threads where there are some; else the event loop, a function at a time."""
    return ThreadPool(size, name) if machine.threads else _Inline()


class _Inline:
    """Runs each function in a later turn of the event loop, whole."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._loop.call_soon(lambda: _settle(future, *_call(function)))
        return future

    def close(self) -> None:
        """Nothing runs between two turns."""


class ThreadPool:
    """Starts threads on demand, up to `size`, and keeps them."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads = 0
        self._running = 0
        self._loop = asyncio.get_running_loop()

    def submit(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run a function in a thread. Cancelling the future does not stop it."""
        future: asyncio.Future[Any] = self._loop.create_future()
        self._running += 1
        self._jobs.put((function, future))
        if self._threads < min(self._running, self._size):
            self._threads += 1
            name = f"{self._name}-{self._threads}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        return future

    def close(self) -> None:
        """Let idle threads end; busy ones end after what they do."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            function, future = job
            result, error = _call(function)
            try:
                self._loop.call_soon_threadsafe(self._finish, future, result, error)
            except RuntimeError:  # the loop is closed; nobody waits any more
                return
            # Not to keep what the function made until the next one comes.
            del job, function, future, result, error

    def _finish(
        self, future: asyncio.Future[Any], result: Any, error: BaseException | None
    ) -> None:
        self._running -= 1
        _settle(future, result, error)


def _call(function: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return function(), None
    except BaseException as raised:
        return None, raised


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration | SystemExit | KeyboardInterrupt):
        # A future refuses the first; the others would end the event loop.
        replacement = RuntimeError(f"{type(error).__name__} left the function: {error}")
        replacement.__cause__ = error
        future.set_exception(replacement)
    else:
        future.set_exception(error)

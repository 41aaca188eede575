"""A thread that owns a database connection.

SQLite blocks: on the disk, and on its own work. So every connection lives on a
thread, which gets functions to run through a queue, in order, and answers on
the event loop of the caller: one hop there and one back, whatever the size of
the batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

T = TypeVar("T")
P = ParamSpec("P")

_Caller = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class DatabaseThread:
    """Runs functions one after the other, each with the connection as its first
    argument.

    `translate` turns what a function raised into what its caller sees. The
    thread does not keep the process alive: what is not committed when the
    process ends was promised to nobody.
    """

    def __init__(self, name: str, translate: Callable[[BaseException], BaseException]) -> None:
        self._jobs: SimpleQueue[tuple[Callable[[], Any], _Caller | None] | None] = SimpleQueue()
        self._translate = translate
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def open(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Make the connection, on the thread. The thread closes it when it stops."""

        def connect_here() -> None:
            self._connection = connect()

        await self._put(connect_here)

    async def run(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *arguments: P.args,
        **named: P.kwargs,
    ) -> T:
        """Run `function` behind everything that was asked for before. It runs
        even if the caller is cancelled while waiting."""
        return await self._put(lambda: function(self._opened(), *arguments, **named))

    def submit(self, function: Callable[[sqlite3.Connection], None]) -> None:
        """The same from any thread, for nobody: `function` deals with its own errors."""
        self._jobs.put((lambda: function(self._opened()), None))

    async def stop(self) -> None:
        """Finish everything that was asked for, close the connection, end."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _put(self, job: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((job, (loop, future)))
        return await future

    def _opened(self) -> sqlite3.Connection:
        assert self._connection is not None, "opened before anything runs"
        return self._connection

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            self._serve(*entry)
            del entry  # an idle thread keeps nobody's rows alive
        if self._connection is not None:
            self._connection.close()

    def _serve(self, job: Callable[[], Any], caller: _Caller | None) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = job()
        except BaseException as raised:
            error = self._translate(raised)
        if caller is not None:
            loop, future = caller
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(_answer, future, result, error)


def _answer(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)

"""One child process, seen from its supervisor.

The child is a Python module of ours. Its arguments are the file descriptor of
its end of a socket pair, and its options as one text.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ReportT = TypeVar("ReportT")


class ChildProcess(Generic[ReportT]):
    """A running child.

    `on_report` gets each of its reports, `on_exit` its exit code (negative: the
    signal that ended it); both are called in the event loop, `on_exit` last.
    """

    def __init__(
        self,
        module: str,
        options: str,
        *,
        decode: Callable[[bytes], ReportT],
        on_report: Callable[[ChildProcess[ReportT], ReportT], None],
        on_exit: Callable[[ChildProcess[ReportT], int], None],
    ) -> None:
        """`decode` makes a report of one line that the child wrote."""
        self._decode = decode
        self._on_report = on_report
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", module]
        with theirs, _interrupts_blocked():
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), options], pass_fds=(theirs.fileno(),)
            )
        self.pid = self._process.pid
        self.started_at = self._loop.time()
        self._socket = ours
        self._followed = self._loop.create_task(self._follow(), name=f"child-{self.pid}")

    async def _follow(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self._socket)
        reports = asyncio.create_task(self._read_reports(reader))
        code = await self._exit_code()
        # What it said last is still in the socket. Programs that it forked may
        # hold the other end open, so this does not wait for the end for long.
        await asyncio.wait([reports], timeout=0.2)
        reports.cancel()
        writer.close()
        self._on_exit(self, code)

    async def _read_reports(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            async for line in reader:
                self._on_report(self, self._decode(line))

    async def _exit_code(self) -> int:
        """Wait in a thread: the only way that works on every system and loop."""
        exited: asyncio.Future[int] = self._loop.create_future()

        def wait() -> None:
            code = self._process.wait()
            with contextlib.suppress(RuntimeError):  # the loop may be closed by then
                self._loop.call_soon_threadsafe(exited.set_result, code)

        threading.Thread(target=wait, name=f"child-{self.pid}", daemon=True).start()
        return await exited

    def tell(self, line: bytes) -> None:
        """Send it a line; nothing happens if it is gone."""
        with contextlib.suppress(OSError):
            self._socket.sendall(line)

    def finish(self) -> None:
        """Let it finish what it has in hand, then exit."""
        self._process.send_signal(signal.SIGTERM)

    def hang_up(self) -> None:
        """Make it stop at once, by closing our side of the socket pair."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()

    async def wait(self) -> None:
        """Return when it has exited and `on_exit` was called."""
        await asyncio.shield(self._followed)


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """A child that is started meanwhile inherits the block, and lifts it when it
    is prepared; an interrupt of ours stays pending until the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""A command on a terminal of its own, as a person has it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import threading
from typing import TYPE_CHECKING, Self

from tests.cli.support import DEADLINE_S, SCHED, clean_environment, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LEAVE_SECOND_SCREEN = "\x1b[?1049l"
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class OnTerminal:
    """A command whose three streams are a terminal; `text` is all that it wrote."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        engine: str,
        columns: int = 80,
        lines: int = 24,
        command: Sequence[str] = SCHED,
    ) -> None:
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.process = subprocess.Popen(
            [*command, *arguments],
            cwd=cwd,
            env=clean_environment(TERM="xterm-256color", SCHED_ENGINE_ADDRESS=engine),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        self._bytes = bytearray()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        # The terminal is gone with the last process that has it.
        with contextlib.suppress(OSError):
            while chunk := os.read(self._terminal, 65536):
                self._bytes += chunk

    @property
    def text(self) -> str:
        """All that it wrote, without what moves the cursor."""
        return _CONTROLS.sub("", self.raw)

    @property
    def raw(self) -> str:
        """All that it wrote."""
        return self._bytes.decode(errors="replace")

    @property
    def left(self) -> str:
        """What stands below the command after it has drawn on the second screen."""
        return _CONTROLS.sub("", self.raw.rpartition(LEAVE_SECOND_SCREEN)[2])

    def wait_for(self, pattern: str) -> None:
        """Wait until it has written that."""
        wait_until(lambda: re.search(pattern, self.text), f"{pattern!r} in {self.text!r}")

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """The exit code, when it has ended and everything is read."""
        code = self.process.wait(timeout=DEADLINE_S)
        self._reader.join(timeout=DEADLINE_S)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        os.close(self._terminal)

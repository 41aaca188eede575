"""Running the real `sched`: commands to their end, servers while a test lasts."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Self
from unittest import mock

from sched_cli.main import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

SCHED = [sys.executable, "-m", "sched_cli"]
# Whatever has a limit here of its own, such as a grace, has one of a minute.
DEADLINE_S = 30.0


def clean_environment(**extra: str) -> dict[str, str]:
    """The process's environment without what would change how `sched` behaves."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SCHED_")
        and name not in ("ENGINE_ADDRESS", "TASK_QUEUE", "NO_COLOR", "FORCE_COLOR", "COLUMNS")
    }
    # Nor the profiles of whoever runs the tests.
    return {**kept, "SCHED_CONFIG": os.devnull, **extra}


def sched(
    *arguments: str, cwd: Path | None = None, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*SCHED, *arguments],
        cwd=cwd,
        env=clean_environment(**(environment or {})),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest there, with our plug-in and no other."""
    command = [sys.executable, "-m", "pytest", "-p", "sched_sdk.pytest_plugin", "-v", *arguments]
    return subprocess.run(
        [*command, "--color=no", "-p", "no:cacheprovider"],
        cwd=folder,
        env=clean_environment(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", COLUMNS="80"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def sched_in_process(
    *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end without a process of its own: the same code, ten
    times as fast. For commands that neither serve nor look at their streams."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        mock.patch.dict(os.environ, clean_environment(**(environment or {})), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            run(list(arguments))
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def forgetting_imports() -> Iterator[None]:
    """What is imported from a temporary folder meanwhile is forgotten: the next test has
    another app of the same name."""
    before, temporary = set(sys.modules), tempfile.gettempdir()
    with mock.patch.object(sys, "path", [*sys.path]):
        try:
            yield
        finally:
            for name in set(sys.modules) - before:
                if str(getattr(sys.modules[name], "__file__", "")).startswith(temporary):
                    del sys.modules[name]


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition; fails the test when it does not come."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {deadline_s} s"
        time.sleep(0.01)


class Running:
    """A `sched` command that serves, and what it said so far."""

    def __init__(self, *arguments: str, cwd: Path, environment: dict[str, str] | None = None):
        self.process = subprocess.Popen(
            [*SCHED, *arguments],
            cwd=cwd,
            env=clean_environment(**(environment or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A process group of its own, as the foreground job of a terminal has.
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)

    @property
    def output(self) -> str:
        """Everything it said, on both streams."""
        return "".join(self._lines)

    def wait_for(self, pattern: str, *, after: int = 0) -> re.Match[str]:
        """Wait until its output, behind `after` characters, matches."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            found = re.search(pattern, self.output[after:])
            if found:
                return found
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.output}"
            assert self.process.poll() is None, f"ended without {pattern!r}:\n{self.output}"
            time.sleep(0.01)

    def interrupt_like_a_terminal(self) -> None:
        """Ctrl-C: SIGINT to every process of the group; waits for its end."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=DEADLINE_S)

    def children(self) -> list[int]:
        """The process ids of its direct children."""
        path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        with open(path) as listing:
            return [int(pid) for pid in listing.read().split()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self._reader.join(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()


def start_dev(cwd: Path, *arguments: str) -> tuple[Running, str]:
    """A dev server on a free port, and its address."""
    running = Running("dev", *arguments, "--port", "0", cwd=cwd)
    try:
        address = running.wait_for(r"engine\s+(127\.0\.0\.1:\d+)").group(1)
    except BaseException:
        running.__exit__()
        raise
    return running, address


def is_alive(pid: int) -> bool:
    """Whether the process exists and is not merely waiting to be collected."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def lines(text: str) -> Sequence[str]:
    """Without those that are empty."""
    return [line for line in text.splitlines() if line.strip()]

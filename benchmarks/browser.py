"""`sched tui` beside 5,000 workflows that change 200 times a second.

    python -m benchmarks.browser [--workflows N] [--changes N] [--seconds N]

The engine, a worker and the load are one process, `sched tui` is another, in a
terminal of 160 x 50 that this one plays. Measured are the time to the first
paint and to the first list, the processor time of the browser, and how long a
key takes: from the key to the line of the screen that tells of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import pty
import random
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import NamedTuple

from sched_sdk import Client, Worker, WorkflowContext, workflow
from sched_server import EngineServer
from sched_server.settings import EngineSettings

_ROWS, _COLUMNS = 50, 160
_KEYS = {"down": b"\x1b[B", "up": b"\x1b[A", "page down": b"\x1b[6~", "page up": b"\x1b[5~"}
_BETWEEN_KEYS_S = 0.4
_DEADLINE_S = 30.0
_TICK_S = 0.1
_STARTS_SHARE = 0.1
_STARTS_OF_BROWSER = 7


@workflow(name="Waits")
async def waits(ctx: WorkflowContext) -> None:
    while True:
        await ctx.wait_for_signal("go")


async def load(workflows: int, changes: int) -> None:
    """Serve until killed; says its address first, and "full" when all were started."""
    server = EngineServer(EngineSettings(db=":memory:", port=0))
    await server.start()
    print(server.address, flush=True)
    async with (
        await Client.connect(server.address) as client,
        Worker(client, workflows=[waits]),
    ):
        handles = []
        for _ in range(0, workflows, 250):
            starting = [client.start_workflow(waits) for _ in range(min(250, workflows))]
            handles += await asyncio.gather(*starting)
        print("full", flush=True)
        starts = round(changes * _STARTS_SHARE * _TICK_S)
        signals = round(changes * _TICK_S) - starts
        while True:
            begun = time.monotonic()
            chosen = random.sample(handles, signals)
            await asyncio.gather(*(handle.signal("go") for handle in chosen))
            await asyncio.gather(*(client.start_workflow(waits) for _ in range(starts)))
            await asyncio.sleep(max(0.0, _TICK_S - (time.monotonic() - begun)))


class Terminal:
    """A terminal in which a command runs."""

    def __init__(self, command: list[str]) -> None:
        self.begun = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            # As with an installed sched, whose modules are compiled.
            environment.pop("PYTHONDONTWRITEBYTECODE", None)
            os.execvpe(command[0], command, environment)
        size = struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def read_until(self, pattern: bytes) -> float:
        """Read what it paints until that is there; returns when it was."""
        seen, deadline = b"", time.perf_counter() + _DEADLINE_S
        while time.perf_counter() < deadline:
            seen += self._read(0.5)
            if re.search(pattern, seen):
                return time.perf_counter()
        raise SystemExit(f"{pattern!r} was not painted within {_DEADLINE_S:g} s: {seen[-500:]!r}")

    def read_for(self, seconds: float) -> None:
        """Read for a while, as a terminal does."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self._fd], [], [], seconds)
        return os.read(self._fd, 65536) if ready else b""

    def processor_s(self) -> float:
        """How long it had the processor so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Leave; what it still paints is read, for it may wait for that."""
        self.press(b"q")
        deadline = time.perf_counter() + _DEADLINE_S
        with contextlib.suppress(OSError):  # nobody has the other end open any more
            while time.perf_counter() < deadline:
                self._read(0.5)
        if time.perf_counter() >= deadline:
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)


def keys() -> Iterator[str]:
    while True:
        yield from ("down", "down", "page down", "down", "up", "page down", "page up")


class Figure(NamedTuple):
    """Something that was measured, and what it is to be at most."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    note: str = ""

    def __str__(self) -> str:
        line = f"{self.name:<28}{self.value:8.1f} {self.unit:<10}"
        if self.aim is not None:
            met = "met" if self.value <= self.aim else "MISSED"
            line += f"aim: at most {self.aim:g}, {met}"
        return line + f"{'; ' if self.aim is not None else ''}{self.note}" * bool(self.note)


class Start(NamedTuple):
    """How long a start of the browser took, in seconds."""

    painted: float
    painted_processor: float
    listed: float


def start(address: str) -> tuple[Terminal, Start]:
    terminal = Terminal([sys.executable, "-m", "sched_cli", "tui", "--engine", address])
    painted = terminal.read_until(rb"Workflows") - terminal.begun
    processor = terminal.processor_s()
    listed = terminal.read_until(rb"more below") - terminal.begun
    return terminal, Start(painted, processor, listed)


def starts(address: str) -> list[Figure]:
    """Of several, since one alone says little. The first may compile modules."""
    taken = []
    for _ in range(1 + _STARTS_OF_BROWSER):
        terminal, one = start(address)
        taken.append(one)
        terminal.close()
    painted, processor, listed = (
        [seconds * 1000 for seconds in column] for column in zip(*taken[1:], strict=True)
    )
    note = f"worst {max(painted):.0f}; {statistics.median(processor):.0f} of processor"
    return [
        Figure("first paint, median", statistics.median(painted), "ms", 500, note),
        Figure(
            "first list, median", statistics.median(listed), "ms", None, f"worst {max(listed):.0f}"
        ),
    ]


def measure(address: str, seconds: float) -> list[Figure]:
    begun_with = starts(address)
    terminal, _ = start(address)
    terminal.read_for(2.0)
    begun, before = time.perf_counter(), terminal.processor_s()
    idle_end = begun + seconds / 3
    terminal.read_for(idle_end - begun)
    watching = (terminal.processor_s() - before) / (time.perf_counter() - begun)
    latencies_ms = []
    begun, before = time.perf_counter(), terminal.processor_s()
    for key in keys():
        pressed = time.perf_counter()
        terminal.press(_KEYS[key])
        latencies_ms.append((terminal.read_until(rb"line [\d,]+") - pressed) * 1000)
        terminal.read_for(_BETWEEN_KEYS_S)
        if time.perf_counter() - begun > seconds * 2 / 3:
            break
    working_s = time.perf_counter() - begun
    working = (terminal.processor_s() - before) / working_s
    terminal.close()
    latencies_ms.sort()
    in_hundred = latencies_ms[int(len(latencies_ms) * 0.95)]
    per_key_ms = max(working - watching, 0.0) * working_s / len(latencies_ms) * 1000
    return [
        *begun_with,
        Figure("processor, watching", watching * 100, "% of one", 30),
        Figure("processor, with keys", working * 100, "% of one", 30),
        Figure("keys", len(latencies_ms), ""),
        Figure("processor of a key", per_key_ms, "ms"),
        Figure("key to paint, median", statistics.median(latencies_ms), "ms", 100),
        Figure("key to paint, 95 of 100", in_hundred, "ms", 100),
        Figure("key to paint, worst", latencies_ms[-1], "ms", 100),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--workflows", type=int, default=5_000)
    parser.add_argument("--changes", type=int, default=200, help="a second")
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        asyncio.run(load(options.workflows, options.changes))
        return
    command = [sys.executable, "-m", "benchmarks.browser", "--load"]
    command += ["--workflows", str(options.workflows), "--changes", str(options.changes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loading:
        assert loading.stdout is not None
        try:
            address = loading.stdout.readline().strip()
            assert loading.stdout.readline().strip() == "full", "the load ended"
            figures = measure(address, options.seconds)
        finally:
            loading.kill()
    print(*figures, sep="\n")
    print(f"{os.cpu_count()} processors, of which others took {os.getloadavg()[0]:.1f} on average")


if __name__ == "__main__":
    main()

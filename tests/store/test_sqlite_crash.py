"""Kill a process that commits, at any moment, and look what is left.

SIGKILL leaves the operating system alive, so this shows that no batch is torn
and that an acknowledged commit has left the process; that it has reached the
disk rests on the sync of every commit.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from sched_server.store.sqlite import SqliteStore
from tests.store.crash_writer import RUNS, event_data
from tests.store.rows import event_ids

ROUNDS = 20
SEED = 20_251


class Writers:
    """Starts writers one after the other and kills them."""

    def __init__(self, commands: IO[str], lines: IO[str]) -> None:
        self._commands = commands
        self._lines = lines

    def run_and_kill(self, path: Path, *, after_acknowledged: int, delay_s: float) -> int:
        """Returns the last event id that was acknowledged; 0 if none was."""
        self._commands.write(f"{path}\n")
        self._commands.flush()
        word, pid = self._lines.readline().split()
        assert word == "pid"
        last = 0
        for _ in range(after_acknowledged):
            last = self._acknowledged(self._lines.readline())
        spin_until = time.perf_counter() + delay_s
        while time.perf_counter() < spin_until:
            pass
        os.kill(int(pid), signal.SIGKILL)
        while (line := self._lines.readline()) != "ended\n":
            last = self._acknowledged(line)
        return last

    def _acknowledged(self, line: str) -> int:
        word, number = line.split()
        assert word == "acknowledged"
        return int(number)


@pytest.fixture
def writers() -> Iterator[Writers]:
    command = [sys.executable, "-m", "tests.store.crash_writer"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Writers(process.stdin, process.stdout)


async def check(path: Path, acknowledged: int) -> int:
    """The store holds everything acknowledged, at most one batch more, and
    nothing in part. Returns the last event id."""
    store = SqliteStore(path)
    await store.open()
    runs = [await store.read_run(run_key) for run_key in RUNS]
    assert len({run.last_event_id if run else 0 for run in runs}) == 1, "a torn batch"
    last = runs[0].last_event_id if runs[0] else 0
    assert acknowledged <= last
    for run_key in RUNS if last else ():
        assert await event_ids(store, run_key) == list(range(1, last + 1))
        tail = await store.read_history(run_key, after_event_id=1, limit=9999, max_bytes=1 << 30)
        assert [one.data for one in tail] == [
            event_data(run_key, event_id) for event_id in range(2, last + 1)
        ]
        tasks = await store.read_tasks(run_key)
        assert [row.record for row in tasks] == ([b"%d" % last] if last > 1 else [])
    await store.close()
    return last


async def test_what_was_acknowledged_survives_a_kill_at_any_moment(
    tmp_path: Path, writers: Writers
) -> None:
    path = tmp_path / "sched.db"
    moments = random.Random(SEED)
    last = 0
    for _ in range(ROUNDS):
        acknowledged = writers.run_and_kill(
            path,
            after_acknowledged=moments.choice([0, 1, 3, 10, 30]),
            delay_s=moments.uniform(0, 0.004),
        )
        before, last = last, await check(path, max(acknowledged, last))
        # One commit at a time: what is there beyond is the one in flight (the
        # first writer also creates the runs).
        assert last <= max(acknowledged, before) + 1
    assert last > ROUNDS, "the writers wrote something"

"""How fast is a store?   python -m benchmarks.store [--folder DIR] [--postgres [DSN]]

A transition is one event, its run's counters, and what the row says. Commits
are made one after the other, as the engine's committer does, each with the
hop to the writer thread and back. "busy loop" adds a thread that never lets
go of the interpreter lock by itself, the worst an event loop can be.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import uvloop

from sched_server.store.port import (
    ACTIVITY_TASK,
    CommitBatch,
    CommitGroup,
    EventRow,
    RunChange,
    RunRow,
    Store,
    TaskRow,
)
from sched_server.store.postgres import PostgresStore
from sched_server.store.sqlite import SqliteStore
from tests.servers.postgres import PostgresServer

EVENT_BYTES = 200
RUNS = 2_000
MEASURED_S = 1.5


class Workload:
    """Makes the changes of `RUNS` open runs in turn."""

    def __init__(self, epoch: int, first_run_key: int) -> None:
        self._epoch = epoch
        self._next_run_key = first_run_key
        self._last_event_ids: dict[int, int] = {}
        self._turn = 0
        self._data = bytes(EVENT_BYTES)

    def batch(self, changes: list[RunChange]) -> CommitBatch:
        groups = [CommitGroup(changes=[change]) for change in changes]
        return CommitBatch(shard_group=0, epoch=self._epoch, groups=groups)

    def start(self) -> RunChange:
        run_key = self._next_run_key
        self._next_run_key += 1
        self._last_event_ids[run_key] = 1
        return RunChange(
            run_key=run_key,
            shard=run_key % 1024,
            expected_last_event_id=0,
            last_event_id=1,
            history_bytes=EVENT_BYTES,
            events=[EventRow(1, 1, time.time_ns() // 1000, self._data)],
            created=RunRow(
                run_key=run_key,
                run_id=f"run-{run_key * 2654435761 % 2**32:08x}-{run_key}",
                workflow_id=f"wf-{run_key * 7919 % 1_000_003:012x}-{run_key}",
                shard=run_key % 1024,
                workflow_type="Benchmark",
                task_queue="default",
                status=1,
                start_request_id=f"request-{run_key}",
                started_us=time.time_ns() // 1000,
            ),
        )

    def event(self) -> RunChange:
        keys = RUNS
        self._turn += 1
        run_key = 1 + self._turn % keys
        expected = self._last_event_ids[run_key]
        self._last_event_ids[run_key] = expected + 1
        return RunChange(
            run_key=run_key,
            shard=run_key % 1024,
            expected_last_event_id=expected,
            last_event_id=expected + 1,
            history_bytes=(expected + 1) * EVENT_BYTES,
            events=[EventRow(expected + 1, 4, time.time_ns() // 1000, self._data)],
        )

    def event_and_task(self) -> RunChange:
        change = self.event()
        seq = change.last_event_id
        if seq % 2:
            change.tasks_deleted = {(ACTIVITY_TASK, seq - 1)}
            change.timers_deleted = {(1, seq - 1)}
        else:
            change.tasks_put[ACTIVITY_TASK, seq] = TaskRow(
                run_key=change.run_key,
                kind=ACTIVITY_TASK,
                seq=seq,
                task_queue="default",
                name="send_email",
                ready=True,
                assignee="",
                ready_since_us=change.events[0].time_us,
                record=self._data,
            )
            change.timers_put[1, seq] = change.events[0].time_us + 60_000_000
        return change


async def measure(
    store: Store, workload: Workload, make: Callable[[], RunChange], size: int
) -> tuple[float, float, float]:
    """(transitions a second, median ms, 99th percentile ms) of commits of `size`."""
    times: list[float] = []
    end = time.perf_counter() + MEASURED_S
    began = time.perf_counter()
    while time.perf_counter() < end or len(times) < 2:
        batch = workload.batch([make() for _ in range(size)])
        started = time.perf_counter()
        applied = await store.commit(batch)
        times.append(time.perf_counter() - started)
        if not all(applied):
            raise RuntimeError("the store refused a change of the benchmark")
    elapsed = time.perf_counter() - began
    percentile = statistics.quantiles(times, n=100)[98]
    return len(times) * size / elapsed, statistics.median(times) * 1e3, percentile * 1e3


async def run(store: Store) -> None:
    print(store.description)
    await store.open()
    lease = await store.acquire(0, "benchmark")
    workload = Workload(lease.epoch, lease.next_run_key)
    for _ in range(RUNS // 50):
        await store.commit(workload.batch([workload.start() for _ in range(50)]))

    def report(name: str, size: int, figures: tuple[float, float, float]) -> None:
        rate, median_ms, percentile_ms = figures
        print(f"{name:28} {size:5} {rate:12,.0f} {median_ms:10.3f} {percentile_ms:10.3f}")

    print(f"{'commit':28} {'batch':>5} {'changes/s':>12} {'median ms':>10} {'99 % ms':>10}")
    for size in (1, 16, 64, 256):
        report("event", size, await measure(store, workload, workload.event, size))
    for size in (1, 64):
        report(
            "event, task, timer",
            size,
            await measure(store, workload, workload.event_and_task, size),
        )
        report("new run", size, await measure(store, workload, workload.start, size))
    if isinstance(store, SqliteStore):  # the only one with a thread to wait for
        await measure_busy(store, workload, report)
    await store.close()


async def measure_busy(
    store: Store,
    workload: Workload,
    report: Callable[[str, int, tuple[float, float, float]], None],
) -> None:
    stopped = threading.Event()

    def spin() -> None:
        while not stopped.is_set():
            pass

    before = sys.getswitchinterval()
    for interval_ms in (5.0, 0.5):
        sys.setswitchinterval(interval_ms / 1000)
        stopped.clear()
        spinner = threading.Thread(target=spin)
        spinner.start()
        name = f"event, busy, switch {interval_ms} ms"
        report(name, 64, await measure(store, workload, workload.event, 64))
        stopped.set()
        spinner.join()
    sys.setswitchinterval(before)


def sqlite(folder: Path | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix="sched-benchmark-") as made:
        run_on(SqliteStore(Path(made) / "benchmark.db"))


def postgres(dsn: str) -> None:
    server = None
    if not dsn:
        server = PostgresServer(fsync=True)
        server.start()
        dsn = server.dsn
    schema = f"benchmark_{secrets.token_hex(4)}"
    try:
        run_on(PostgresStore(dsn, schema=schema, migrate=True))
    finally:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        if server is not None:
            server.remove()


def run_on(store: Store) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(store))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a store.")
    parser.add_argument("--folder", type=Path, help="where to make the SQLite database")
    parser.add_argument("--postgres", nargs="?", const="", metavar="DSN", help="measure Postgres")
    arguments = parser.parse_args()
    if arguments.postgres is None:
        sqlite(arguments.folder)
    else:
        postgres(arguments.postgres)


if __name__ == "__main__":
    main()

"""Whole-system figures: real processes, start to result as a client sees it.

usage: python -m benchmarks.end_to_end [CASE …]
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from benchmarks.app import hello, hello_activity, many_steps, sleeper, wait_and_return
from benchmarks.system import free_port, memory_mb, percentile, spawn, system
from sched_sdk import Client, EngineUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.system import System


def show(case: str, **figures: object) -> None:
    print(f"{case:32} " + "  ".join(f"{k} {v}" for k, v in figures.items()), flush=True)


async def in_flight(count: int, limit: int, one: Callable[[int], Awaitable[None]]) -> list[float]:
    """Run `one` `count` times, `limit` at once; seconds of each."""
    numbers = iter(range(count))
    latencies: list[float] = []

    async def lane() -> None:
        for i in numbers:
            begin = time.perf_counter()
            await one(i)
            latencies.append(time.perf_counter() - begin)

    await asyncio.gather(*(lane() for _ in range(limit)))
    return latencies


def _latency(latencies: list[float]) -> dict[str, str]:
    return {
        "p50_ms": f"{percentile(latencies, 50) * 1e3:.2f}",
        "p99_ms": f"{percentile(latencies, 99) * 1e3:.2f}",
    }


def _cpu_per(running: System, count: int) -> dict[str, str]:
    return {f"{role}_us": f"{s / count * 1e6:.0f}" for role, s in running.cpu().items()}


async def _hello(running: System, case: str, count: int, limit: int, function: object) -> None:
    async def one(i: int) -> None:
        result = await running.client.execute_workflow(function, f"w{i}")  # type: ignore[arg-type]
        assert result == f"hello w{i}", result

    await in_flight(min(count, 300), limit, one)
    running.start_meter()
    begin = time.perf_counter()
    latencies = await in_flight(count, limit, one)
    seconds = time.perf_counter() - begin
    show(
        case,
        per_s=f"{count / seconds:.0f}",
        **_latency(latencies),
        **_cpu_per(running, count),
    )


async def hello_latency() -> None:
    async with system() as running:
        await _hello(running, "hello, one at a time", 500, 1, hello)


async def hello_throughput() -> None:
    async with system() as running:
        for limit in (50, 200):
            await _hello(running, f"hello, {limit} in flight", 6000, limit, hello)


async def activity_throughput() -> None:
    async with system() as running:
        await _hello(running, "one activity, one at a time", 300, 1, hello_activity)
        await _hello(running, "one activity, 200 in flight", 4000, 200, hello_activity)


async def steps() -> None:
    async with system() as running:
        for workflows, count in ((1, 200), (50, 20)):
            await running.client.execute_workflow(many_steps, 5)
            for _ in range(3):
                running.start_meter()
                begin = time.perf_counter()
                await asyncio.gather(
                    *(running.client.execute_workflow(many_steps, count) for _ in range(workflows))
                )
                seconds = time.perf_counter() - begin
                show(
                    f"steps, {workflows} x {count}",
                    per_s=f"{workflows * count / seconds:.0f}",
                    **_cpu_per(running, workflows * count),
                )


async def signal_latency() -> None:
    async with system() as running:
        latencies = []
        for i in range(200):
            handle = await running.client.start_workflow(wait_and_return)
            await asyncio.sleep(0.01)
            begin = time.perf_counter()
            await handle.signal("value", i)
            assert await handle.result() == i
            latencies.append(time.perf_counter() - begin)
        show("signal to result", **_latency(latencies))


async def timers() -> None:
    async with system() as running:
        seconds = 3.0
        handles = []

        async def one(_: int) -> None:
            handles.append(await running.client.start_workflow(sleeper, seconds))

        await in_flight(2000, 200, one)
        fired, woken = [], []
        for handle in handles:
            await handle.result()
            events = [event.raw async for event in handle.history()]
            due = next(e.timer_scheduled.due_time_us for e in events if e.timer_scheduled.seq)
            at = next(e.time_us for e in events if e.HasField("timer_fired"))
            fired.append((at - due) / 1e6)
            woken.append((events[-1].time_us - due) / 1e6)
        show("2,000 timers of 3 s, fired late", **_latency(fired))
        show("2,000 timers of 3 s, code woken late", **_latency(woken))


async def sleeping_memory() -> None:
    async with system() as running:
        before = memory_mb(running.engine.pid)

        async def one(_: int) -> None:
            await running.client.start_workflow(sleeper, 3600.0)

        await in_flight(10_000, 200, one)
        await asyncio.sleep(1)
        show(
            "10,000 sleeping workflows",
            engine_mb=f"{memory_mb(running.engine.pid):.0f}",
            before_mb=f"{before:.0f}",
            worker_mb=f"{memory_mb(running.workers[0].pid):.0f}",
        )


async def cold_start() -> None:
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            port = free_port()
            begin = time.perf_counter()
            engine = spawn("dev", "--port", str(port), cwd=folder)
            try:
                while True:
                    try:
                        async with await Client.connect(f"127.0.0.1:{port}", timeout=5):
                            break
                    except EngineUnavailableError:
                        continue
                serving = time.perf_counter() - begin
            finally:
                engine.terminate()
                engine.wait()
            show("sched dev, nothing to serving", seconds=f"{serving:.3f}")


async def help_time() -> None:  # nothing else runs meanwhile
    for _ in range(5):
        begin = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "sched_cli", "--help", stdout=subprocess.DEVNULL
        )
        await process.wait()
        show("sched --help", seconds=f"{time.perf_counter() - begin:.3f}")


CASES: dict[str, Callable[[], Awaitable[None]]] = {
    "help": help_time,
    "cold": cold_start,
    "latency": hello_latency,
    "throughput": hello_throughput,
    "activity": activity_throughput,
    "steps": steps,
    "signal": signal_latency,
    "timers": timers,
    "memory": sleeping_memory,
}


def main() -> None:
    import uvloop

    for name in sys.argv[1:] or CASES:
        uvloop.run(CASES[name]())


if __name__ == "__main__":
    main()

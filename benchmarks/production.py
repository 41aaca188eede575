"""Figures of an installation in earnest: Postgres with fsync, Redis, two engines.

usage: python -m benchmarks.production [speed|failover|recovery …]

A failover is measured as a client sees it: from SIGKILL of the leader to the
result of a workflow that the client asked for in that moment.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.app import hello, hello_activity, sleeper, wait_and_return
from benchmarks.cluster import cluster
from benchmarks.end_to_end import in_flight, show
from benchmarks.system import percentile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from benchmarks.cluster import Cluster
    from sched_sdk import Client, WorkflowContext

_HOUR_S = 3600.0
_RUNS = 5


async def speed() -> None:
    async with cluster(engines=1, workers=1) as running:
        for name, function in (("hello, one step", hello), ("one activity", hello_activity)):
            await _hello(running.client, function, 500, 100)  # warm
            rates, latencies = [], []
            for _ in range(_RUNS):
                began = time.perf_counter()
                await _hello(running.client, function, 2000, 100)
                rates.append(2000 / (time.perf_counter() - began))
                one_by_one = await _hello(running.client, function, 200, 1)
                latencies.append(percentile(one_by_one, 50) * 1e3)
            show(
                name,
                per_s=f"{statistics.median(rates):.0f}",
                p50_ms=f"{statistics.median(latencies):.2f}",
                all_per_s=" ".join(f"{rate:.0f}" for rate in rates),
            )


async def _hello(
    client: Client,
    function: Callable[[WorkflowContext, str], Awaitable[str]],
    count: int,
    limit: int,
) -> list[float]:
    async def one(i: int) -> None:
        result = await client.execute_workflow(function, f"w{i}")
        assert result == f"hello w{i}", result

    return await in_flight(count, limit, one)


async def failover() -> None:
    await _kill_leaders("failover, 1,000 open", open_workflows=1_000, workers=4, rounds=30)


async def recovery() -> None:
    await _kill_leaders("failover, 100,000 open", open_workflows=100_000, workers=4, rounds=5)


async def _kill_leaders(case: str, *, open_workflows: int, workers: int, rounds: int) -> None:
    async with cluster(engines=2, workers=workers) as running:
        took = await _open(running.client, open_workflows)
        show(f"opening {open_workflows:,}", seconds=f"{took:.1f}")
        seconds = []
        for number in range(rounds):
            await running.complete()
            seconds.append(await _kill_leader(running, number))
        show(
            case,
            p50_ms=f"{percentile(seconds, 50) * 1e3:.0f}",
            worst_ms=f"{max(seconds) * 1e3:.0f}",
            best_ms=f"{min(seconds) * 1e3:.0f}",
            all_ms=" ".join(f"{s * 1e3:.0f}" for s in seconds),
        )


async def _open(client: Client, count: int) -> float:
    """Half of them sleep, half wait for a signal; seconds that it took."""

    async def one(i: int) -> None:
        if i % 2:
            await client.start_workflow(sleeper, _HOUR_S)
        else:
            await client.start_workflow(wait_and_return)

    began = time.perf_counter()
    await in_flight(count, 200, one)
    while await _pending(client):  # noqa: ASYNC110 - it happens in other processes
        await asyncio.sleep(0.1)
    return time.perf_counter() - began


async def _pending(client: Client) -> int:
    """How many workflow tasks are not done yet."""
    return sum(q.pending_workflow_tasks for q in (await client.cluster_status()).task_queues)


async def _kill_leader(running: Cluster, number: int) -> float:
    await running.client.execute_workflow(hello, "before")
    leader = await running.leader()
    began = time.perf_counter()
    running.kill(leader)
    assert await running.client.execute_workflow(hello, f"{number}") == f"hello {number}"
    seconds = time.perf_counter() - began
    running.restart(leader)
    return seconds


CASES: dict[str, Callable[[], Coroutine[None, None, None]]] = {
    "speed": speed,
    "failover": failover,
    "recovery": recovery,
}


def main() -> None:
    import uvloop

    for name in sys.argv[1:] or CASES:
        uvloop.run(CASES[name]())


if __name__ == "__main__":
    main()

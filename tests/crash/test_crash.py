"""Processes are killed at random while 200 workflows run; nothing may show.

The seed decides who is killed and when. Set CRASH_SEED to repeat a run (the
schedule of the machine still plays its part), CRASH_SECONDS to soak.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import time
from typing import TYPE_CHECKING

import pytest

from sched_sdk import Client
from tests.crash import checks
from tests.crash.load import Job, make_jobs, read_history, run_job
from tests.crash.processes import Cluster

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 200
SECONDS = float(os.environ.get("CRASH_SECONDS", "30"))
FINISH_WITHIN_S = 90.0


@pytest.mark.timeout(SECONDS + 150)
async def test_nothing_is_lost_or_repeated_whatever_is_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("CRASH_SEED") or secrets.randbelow(10**9))
    print(f"CRASH_SEED={seed}")
    rng = random.Random(seed)
    cluster = Cluster(tmp_path, workers=3)
    cluster.start()
    try:
        async with await Client.connect(cluster.address, timeout=20) as client:
            jobs = make_jobs(JOBS, rng)
            running = asyncio.ensure_future(_run_all(client, jobs, rng))
            await _kill_at_random(cluster, rng)
            async with asyncio.timeout(FINISH_WITHIN_S):
                await running
            histories = {job.workflow_id: await read_history(client, job) for job in jobs}
    except BaseException:
        _show_logs(cluster)
        raise
    finally:
        cluster.stop()
    for job in jobs:
        checks.check_job(job, histories[job.workflow_id])
    repeated = checks.check_activities(cluster.ledger, histories)
    kills = {member.name: member.kills - 1 for member in cluster.members}
    events = sum(len(history) for history in histories.values())
    print(f"kills {kills}; {events} events; {repeated} activity runs repeated")
    assert sum(kills.values()) >= SECONDS / 3


async def _run_all(client: Client, jobs: list[Job], rng: random.Random) -> None:
    """New work keeps coming while processes die."""
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(run_job(client, job, rng))
            await asyncio.sleep(rng.random() * 2 * SECONDS / JOBS)


async def _kill_at_random(cluster: Cluster, rng: random.Random) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        await asyncio.sleep(rng.uniform(0.2, 1.8))
        member = rng.choice([cluster.engine, *cluster.workers])
        member.kill()
        if rng.random() < 0.3:
            await asyncio.sleep(rng.uniform(0.0, 1.0))
        member.start()


def _show_logs(cluster: Cluster) -> None:
    for member in cluster.members:
        print(f"--- {member.name}\n{member.log[-4000:]}")

"""Mixed workflows while something breaks, and what must be true of them afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.crash import app, checks
from tests.crash.load import Job, make_jobs, read_history, run_job
from tests.ha.cluster import PATIENCE_S, seed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sched_sdk import Client
    from tests.ha.cluster import HaCluster

JOBS = 60
# New work comes for so long.
SPREAD_S = 2.0
FINISH_WITHIN_S = 30.0


@asynccontextmanager
async def under_load(cluster: HaCluster, client: Client) -> AsyncIterator[None]:
    """Work for all the workers. At the end: every workflow ended right, and no
    event was lost or doubled. A call that fails, although the client tries
    again, fails the test."""
    number = seed()
    print(f"HA_SEED={number}")
    rng = random.Random(number)
    jobs = make_jobs(JOBS, rng)
    running = asyncio.ensure_future(_run_all(client, jobs, rng))
    try:
        # Somebody works before anything breaks.
        async with asyncio.timeout(PATIENCE_S):
            await client.execute_workflow(app.sequential, 2)
        yield
        async with asyncio.timeout(FINISH_WITHIN_S):
            await running
    finally:
        running.cancel()
        await asyncio.wait([running])
    histories = {job.workflow_id: await read_history(client, job) for job in jobs}
    for job in jobs:
        checks.check_job(job, histories[job.workflow_id])
    checks.check_activities(cluster.ledger, histories)
    for member in cluster.members:
        assert "Traceback" not in member.log, f"{member.name} met what it did not expect"


async def _run_all(client: Client, jobs: list[Job], rng: random.Random) -> None:
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(run_job(client, job, rng))
            await asyncio.sleep(rng.random() * 2 * SPREAD_S / JOBS)


async def next_workflow(client: Client) -> float:
    """How many seconds a new workflow takes, from start to result."""
    began = time.monotonic()
    assert await client.execute_workflow(app.steps, 1) == 0
    return time.monotonic() - began

"""The work: what is started, what is sent, and how each must end."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sched_sdk import Client, WorkflowFailedError
from tests.crash import app

if TYPE_CHECKING:
    from sched_sdk.api.v1.history_pb2 import HistoryEvent


@dataclass
class Job:
    workflow_id: str
    function: Any
    arguments: tuple[Any, ...]
    status: str
    result: Any = None
    """The expected result, or a part of the expected error text."""
    signals: list[int] = field(default_factory=list)
    cancel: bool = False
    outcome: Any = None


def make_jobs(count: int, rng: random.Random) -> list[Job]:
    makers = [_sequential, _steps, _sleeper, _fan_out, _signaled, _mixed, _failing, _canceled]
    return [makers[i % len(makers)](f"job-{i:03}", rng) for i in range(count)]


def _sequential(name: str, rng: random.Random) -> Job:
    n = rng.randint(2, 8)
    return Job(name, app.sequential, (n,), "COMPLETED", sum(2 * i for i in range(n)))


def _steps(name: str, rng: random.Random) -> Job:
    n = rng.randint(5, 40)
    return Job(name, app.steps, (n,), "COMPLETED", sum(3 * i for i in range(n)))


def _sleeper(name: str, rng: random.Random) -> Job:
    n = rng.randint(2, 6)
    return Job(name, app.sleeper, (n,), "COMPLETED", sum(2 * i for i in range(n)))


def _fan_out(name: str, rng: random.Random) -> Job:
    n = rng.randint(3, 15)
    return Job(name, app.fan_out, (n,), "COMPLETED", [2 * i for i in range(n)])


def _signaled(name: str, rng: random.Random) -> Job:
    sent = [rng.randint(0, 99) for _ in range(rng.randint(3, 10))]
    return Job(name, app.signaled, (len(sent),), "COMPLETED", sent, signals=sent)


def _mixed(name: str, rng: random.Random) -> Job:
    v = rng.randint(1, 50)
    result = {"branch": 2 * v, "step": 3 * v, "late": 1, "flaky": v + 1}
    return Job(name, app.mixed, (v,), "COMPLETED", result)


def _failing(name: str, rng: random.Random) -> Job:
    return Job(name, app.failing, (), "FAILED", "gave up: ValueError: this one never works")


def _canceled(name: str, rng: random.Random) -> Job:
    return Job(name, app.canceled, (), "CANCELED", cancel=True)


async def run_job(client: Client, job: Job, rng: random.Random) -> None:
    """Start it, do what it needs, and wait for its end."""
    handle = await client.start_workflow(job.function, *job.arguments, id=job.workflow_id)
    for value in job.signals:
        await asyncio.sleep(rng.random() * 0.5)
        await handle.signal("item", value)
    if job.cancel:
        await asyncio.sleep(rng.random() * 3)
        await handle.cancel("the test asks for it")
    try:
        job.outcome = ("COMPLETED", await handle.result())
    except WorkflowFailedError as error:
        job.outcome = (error.status, str(error.__cause__))


async def read_history(client: Client, job: Job) -> list[HistoryEvent]:
    return [event.raw async for event in client.workflow(job.workflow_id).history()]

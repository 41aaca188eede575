"""What clients do beside the scripts of the simulator: reset, fork, ask.

Nothing here may fail: a client tries again until an engine answers, and every
request has an id of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from typing import TYPE_CHECKING, Any

from sched_sdk.errors import (
    EngineUnavailableError,
    NoWorkerError,
    WorkflowFailedError,
    WorkflowNotFoundError,
)
from tests.sim.client_script import run_job
from tests.sim.ledger import Acknowledged

if TYPE_CHECKING:
    import random

    from sched_sdk import Client
    from tests.chaos.world import World
    from tests.sim.plan import Job

_POINTS = ("first", "last")
_ASKS_WITHIN_S = 20.0


async def live(world: World, client: Client, job: Job, chance: random.Random) -> None:
    """Everything that is done with one workflow. A failure is a violation."""
    looking = asyncio.ensure_future(_look_inside(world, client, job, chance.random() * 3))
    try:
        if job.workflow == "asked":
            await _ask(world, client, job)
        elif job.again in ("reset", "fork"):
            await _copy(world, client, job, chance)
        else:
            await run_job(world, client, job)  # type: ignore[arg-type]  # see world.py
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        assert task is not None
        if task.cancelling():
            raise
        world.wrong("Clients", f"{job.workflow_id} ({job.workflow}): {error!r}")
        world.trace.add(job.workflow_id, "".join(traceback.format_exception(error)))
        world.finished(job)
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _start(world: World, client: Client, job: Job) -> Any:
    await asyncio.sleep(max(0.0, job.at_s - world.loop.time()))
    request_id = f"start-{job.workflow_id}"
    handle = await client.start_workflow(
        world.code[job.workflow], job.n, id=job.workflow_id, request_id=request_id
    )
    _acknowledge(world, job, "start", handle.run_id, request_id)
    return handle


async def _copy(world: World, client: Client, job: Job, chance: random.Random) -> None:
    handle = await _start(world, client, job)
    await asyncio.sleep(chance.random() * 2)
    to, request_id = chance.choice(_POINTS), f"{job.again}-{job.workflow_id}"
    if job.again == "reset":
        copy = await handle.reset(to, request_id=request_id)
    else:
        copy = await handle.fork(to, id=f"{job.workflow_id}-fork", request_id=request_id)
        await _result(world, job, handle)
    _acknowledge(world, job, "start", copy.run_id, request_id)
    await _result(world, job, copy)
    world.finished(job)


async def _ask(world: World, client: Client, job: Job) -> None:
    """An answer knows of every signal that was acknowledged before the question."""
    handle = await _start(world, client, job)
    for act in job.acts:
        request_id = f"signal-{job.workflow_id}-{act.value}"
        await handle.signal("item", act.value, request_id=request_id)
        _acknowledge(world, job, "signal", handle.run_id, request_id)
        seen = await _query(handle, "so_far")
        if seen is not None and seen != list(range(act.value + 1)):
            world.wrong("Queries", f"{job.workflow_id} has had {act.value}, and says {seen}")
    await _result(world, job, handle)
    world.finished(job)


async def _look_inside(world: World, client: Client, job: Job, after_s: float) -> None:
    """Where the code stands, asked while everything breaks; it need not be there."""
    await asyncio.sleep(max(0.0, job.at_s - world.loop.time()) + after_s)
    with contextlib.suppress(WorkflowNotFoundError):
        await _query(client.workflow(job.workflow_id), "__stack")


async def _query(handle: Any, name: str) -> Any:
    """None: nobody could answer in time."""
    try:
        return await handle.query(name, timeout=_ASKS_WITHIN_S)
    except (NoWorkerError, EngineUnavailableError, TimeoutError):
        return None


async def _result(world: World, job: Job, handle: Any) -> None:
    try:
        value, status = await handle.result(), "COMPLETED"
    except WorkflowFailedError as error:
        value, status = str(error.__cause__), error.status
    _acknowledge(world, job, "result", handle.run_id, status)
    world.checkers.outcome(job, handle.run_id, status, value)


def _acknowledge(world: World, job: Job, kind: str, run_id: str, detail: str) -> None:
    acknowledged = Acknowledged(kind, job.workflow_id, run_id, detail)
    world.ledger.acknowledged.append(acknowledged)
    world.trace.add(job.workflow_id, f"client knows: {kind} {detail}")
    world.checkers.acknowledged(acknowledged)

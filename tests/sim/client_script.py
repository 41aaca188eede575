"""What a client does with one workflow, and what it was told.

A script may begin anew after a crash of its client: every request has an id of
its own, so that doing it again does it once.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sched_sdk.errors import (
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
)
from tests.sim import copy_script, query_script
from tests.sim.client_results import acknowledge, result
from tests.sim.elsewhere_script import elsewhere

if TYPE_CHECKING:
    from sched_sdk import Client, WorkflowHandle
    from tests.sim.plan import Act, Job
    from tests.sim.world import World

Handle = Any


async def run_job(world: World, client: Client, job: Job) -> None:
    await asyncio.sleep(max(0.0, job.at_s - world.loop.time()))
    handle = await _start(world, client, job, "start")
    acts = [
        asyncio.ensure_future(_act(world, client, handle, job, act))
        for act in job.acts
        for _ in range(1 + act.twice)
    ]
    if job.again == "twice":
        again = await _start(world, client, job, "start")
        if again.run_id != handle.run_id:
            world.wrong("clients", f"{job.workflow_id}: one start made two runs")
    elif job.again in ("use_existing", "terminate_existing"):
        await asyncio.sleep(0.3)
        other = await _start(world, client, job, "other", id_conflict=job.again)
        await _other_run(world, job, handle, other)
    await result(world, job, handle)
    await asyncio.gather(*acts)
    if job.again == "after":
        starts = (_start(world, client, job, "other") for _ in range(2))
        other, same = await asyncio.gather(*starts)
        if other.run_id != same.run_id:
            world.wrong("clients", f"{job.workflow_id}: one start made two runs")
        await _other_run(world, job, handle, other)
    world.finished(job)


async def _start(
    world: World, client: Client, job: Job, request: str, **options: Any
) -> WorkflowHandle[Any]:
    request_id = f"{request}-{job.workflow_id}"
    while True:
        try:
            handle = await client.start_workflow(
                world.code[job.workflow],
                job.n,
                id=job.workflow_id,
                request_id=request_id,
                execution_timeout=job.execution_timeout_s or None,
                start_delay=job.start_delay_s or None,
                **options,
            )
        except WorkflowAlreadyStartedError:
            # Another run of the id is there: ours of before, or the other one.
            if request == "start":
                world.wrong("clients", f"{job.workflow_id}: the start met another run")
            await asyncio.sleep(0.2)
        else:
            if options.get("id_conflict") != "use_existing":
                acknowledge(world, "start", job, handle.run_id, request_id)
            return handle


async def _other_run(world: World, job: Job, first: Handle, other: Handle) -> None:
    """A second run under the id has no signals: it may wait for ever."""
    if other.run_id == first.run_id:
        return
    with contextlib.suppress(WorkflowClosedError):
        await other.terminate("enough", request_id=f"end-{job.workflow_id}")
    await result(world, job, other, checked=False)


async def _act(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    await asyncio.sleep(act.after_s)
    while True:
        try:
            return await _ACTS[act.kind](world, client, handle, job, act)
        except WorkflowClosedError:
            world.trace.add(job.workflow_id, f"{act.kind} came too late")
            world.checkers.refused(handle.run_id, _request_id(job, act))
            successor = world.checkers.truth.successor(handle.run_id)
            if not successor:
                return None
            handle = client.workflow(job.workflow_id, run_id=successor)


def _request_id(job: Job, act: Act) -> str:
    return f"{act.kind}-{job.workflow_id}-{act.value}"


async def _signal(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    request_id = _request_id(job, act)
    await handle.signal("item", act.value, request_id=request_id)
    acknowledge(world, "signal", job, handle.run_id, request_id)


async def _cancel(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    await handle.cancel("on purpose", request_id=_request_id(job, act))
    acknowledge(world, "cancel", job, handle.run_id, "")


async def _terminate(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    await handle.terminate("on purpose", request_id=_request_id(job, act))
    acknowledge(world, "terminate", job, handle.run_id, "")


async def _describe(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    viewer = object()
    for _ in range(4):
        info = (await handle.describe()).info
        world.checkers.viewed(viewer, {handle.run_id: (info.history_length, info.status.closed)})
        await asyncio.sleep(0.2)


async def _follow(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """In the end all of its events are stored."""
    seen = [event.event_id async for event in handle.history(follow=True)]
    world.checkers.followed(handle.run_id, seen)
    acknowledge(world, "history", job, handle.run_id, str(len(seen)))


async def _list(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    viewer = object()
    world.checkers.viewed(viewer, {handle.run_id: (0, False)})
    for _ in range(3):
        listed = client.list_workflows(id_prefix=job.workflow_id)
        world.checkers.viewed(
            viewer, {info.run_id: (0, info.status.closed) async for info in listed}
        )
        await asyncio.sleep(0.3)


_ACTS = {
    "signal": _signal,
    "cancel": _cancel,
    "terminate": _terminate,
    "describe": _describe,
    "follow": _follow,
    "list": _list,
    "elsewhere": elsewhere,
    "reset": copy_script.reset,
    "reset_newest": copy_script.reset_newest,
    "fork": copy_script.fork,
    "query": query_script.query,
    "stack": query_script.stack,
    "meddle": query_script.meddle,
}

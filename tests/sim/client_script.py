"""What a client does with one workflow, and what it was told.

A script may begin anew after a crash of its client: every request has an id of
its own, so that doing it again does it once.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sched_sdk.errors import (
    ActivityNotFoundError,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
    WorkflowFailedError,
)
from tests.sim.ledger import Acknowledged

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
    await _result(world, job, handle)
    await asyncio.gather(*acts)
    if job.again == "after":
        other = await _start(world, client, job, "other")
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
                _acknowledge(world, "start", job, handle.run_id, request_id)
            return handle


async def _other_run(world: World, job: Job, first: Handle, other: Handle) -> None:
    """A second run under the id has no signals: it may wait for ever."""
    if other.run_id == first.run_id:
        return
    with contextlib.suppress(WorkflowClosedError):
        await other.terminate("enough", request_id=f"end-{job.workflow_id}")
    await _result(world, job, other, checked=False)


async def _result(world: World, job: Job, handle: Handle, *, checked: bool = True) -> None:
    try:
        value = await handle.result()
        status = "COMPLETED"
    except WorkflowFailedError as error:
        value, status = str(error.__cause__), error.status
    _acknowledge(world, "result", job, handle.run_id, status)
    if checked:
        world.checkers.outcome(job, handle.run_id, status, value)


async def _act(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    await asyncio.sleep(act.after_s)
    try:
        await _ACTS[act.kind](world, client, handle, job, act)
    except WorkflowClosedError:
        world.trace.add(job.workflow_id, f"{act.kind} came too late")
        world.checkers.refused(handle.run_id, _request_id(job, act))


def _request_id(job: Job, act: Act) -> str:
    return f"{act.kind}-{job.workflow_id}-{act.value}"


async def _signal(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    request_id = _request_id(job, act)
    await handle.signal("item", act.value, request_id=request_id)
    _acknowledge(world, "signal", job, handle.run_id, request_id)


async def _cancel(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    await handle.cancel("on purpose", request_id=_request_id(job, act))
    _acknowledge(world, "cancel", job, handle.run_id, "")


async def _terminate(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    await handle.terminate("on purpose", request_id=_request_id(job, act))
    _acknowledge(world, "terminate", job, handle.run_id, "")


async def _describe(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """What is told grows, and an end stays an end."""
    length, closed = 0, False
    for _ in range(4):
        info = (await handle.describe()).info
        if info.history_length < length or (closed and not info.status.closed):
            world.wrong("clients", f"{job.workflow_id}: what describe says went back")
        length, closed = info.history_length, info.status.closed
        await asyncio.sleep(0.2)


async def _follow(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """Events come in order, and are those that are stored in the end."""
    seen = [event.event_id async for event in handle.history(follow=True)]
    if seen != list(range(1, len(seen) + 1)):
        world.wrong("clients", f"{job.workflow_id}: the history followed has gaps: {seen}")
    _acknowledge(world, "history", job, handle.run_id, str(len(seen)))


async def _list(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    runs = [info.run_id async for info in client.list_workflows(id_prefix=job.workflow_id)]
    if handle.run_id not in runs:
        world.wrong("clients", f"{job.workflow_id}: an acknowledged run is not listed")


async def _elsewhere(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """The attempt whose token is known may be over already: then another comes."""
    refused = b""
    while not world.checkers.truth.closed(handle.run_id):
        token = world.ledger.tokens.get(job.workflow_id, b"")
        if token and token != refused:
            try:
                await client.activity(token).complete(42)
            except ActivityNotFoundError:
                refused = token
            else:
                _acknowledge(world, "elsewhere", job, handle.run_id, "")
                return
        await asyncio.sleep(0.1)


def _acknowledge(world: World, kind: str, job: Job, run_id: str, detail: str) -> None:
    acknowledged = Acknowledged(kind, job.workflow_id, run_id, detail)
    world.ledger.acknowledged.append(acknowledged)
    world.trace.add(job.workflow_id, f"client knows: {kind} {detail}")
    world.checkers.acknowledged(acknowledged)


_ACTS = {
    "signal": _signal,
    "cancel": _cancel,
    "terminate": _terminate,
    "describe": _describe,
    "follow": _follow,
    "list": _list,
    "elsewhere": _elsewhere,
}

"""What a client does with copies: reset and fork, of runs in any state, and what
the run that goes on instead needs as well."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from sched_sdk.errors import (
    InvalidArgumentError,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
)
from tests.sim.checkers.copies import WITHOUT_SIGNALS
from tests.sim.client_results import acknowledge, result
from tests.sim.elsewhere_script import elsewhere

if TYPE_CHECKING:
    from sched_sdk import Client
    from tests.sim.plan import Act, Job
    from tests.sim.truth import Run
    from tests.sim.world import World

Handle = Any

_POINTS = {0: "first", -1: "last"}


async def reset(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """Of the run that was started, whatever became of it."""
    request_id = f"reset-{job.workflow_id}-{act.value}"
    await _reset(world, client, handle, job, act, request_id)


async def reset_newest(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """Of the run that is the newest when the engine hears of it."""
    newest = client.workflow(job.workflow_id)
    await _reset(world, client, newest, job, act, f"newest-{job.workflow_id}-{act.value}")


async def _reset(
    world: World, client: Client, handle: Handle, job: Job, act: Act, request_id: str
) -> None:
    try:
        copy = await handle.reset(
            _POINTS.get(act.value, act.value), reason="on purpose", request_id=request_id
        )
    except (InvalidArgumentError, WorkflowAlreadyStartedError) as error:
        # The event is not there yet; or another reset was faster.
        world.trace.add(job.workflow_id, f"no {request_id}: {error}")
        own = [run for run in _runs_of(world, request_id) if run.run_id in str(error)]
        if own or world.ledger.copies.get(request_id):
            world.wrong("clients", f"{request_id} was done, and is refused: {error}")
        return
    _copied(world, job, request_id, copy)
    needs = [
        asyncio.ensure_future(_ask_again(world, client, copy, job, again)) for again in job.acts
    ]
    await asyncio.gather(result(world, job, copy), *needs)


def _runs_of(world: World, request_id: str) -> list[Run]:
    runs = world.checkers.truth.by_run_id.values()
    return [run for run in runs if run.start_request == request_id]


async def _ask_again(world: World, client: Client, copy: Handle, job: Job, act: Act) -> None:
    """What was asked of the source may be behind the point, or went to another copy."""
    request_id = f"{act.kind}-{job.workflow_id}-{copy.run_id}"
    await asyncio.sleep(act.after_s)
    with contextlib.suppress(WorkflowClosedError):
        if act.kind == "cancel":
            await copy.cancel("again", request_id=request_id)
        elif act.kind == "terminate":
            await copy.terminate("again", request_id=request_id)
        elif act.kind == "signal":
            sent = f"signal-{job.workflow_id}-{act.value}"
            await copy.signal("item", act.value, request_id=sent)
        elif act.kind == "elsewhere":
            await elsewhere(world, client, copy, job, act)


async def fork(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """A workflow of its own, which is ended if it misses what the source was sent."""
    request_id = f"fork-{job.workflow_id}-{act.value}"
    keep_signals = act.value % 2 == 0
    if not keep_signals:
        request_id += WITHOUT_SIGNALS
    try:
        copy = await handle.fork(
            _POINTS.get(act.value, act.value), keep_signals=keep_signals, request_id=request_id
        )
    except InvalidArgumentError as error:
        world.trace.add(job.workflow_id, f"no {request_id}: {error}")
        return
    if copy.id == job.workflow_id:
        world.wrong("clients", f"{request_id} has the workflow id of its source")
    _copied(world, job, request_id, copy)
    if job.acts_matter or job.execution_timeout_s:
        await asyncio.sleep(1.0)
        with contextlib.suppress(WorkflowClosedError):
            await copy.terminate("enough", request_id=f"end-{request_id}")
        await result(world, job, copy, checked=False)
    else:
        await result(world, job, copy)


def _copied(world: World, job: Job, request_id: str, copy: Handle) -> None:
    before = world.ledger.copies.setdefault(request_id, copy.run_id)
    if before != copy.run_id:
        world.wrong("clients", f"{request_id} made two runs: {before} and {copy.run_id}")
    acknowledge(world, "start", job, copy.run_id, request_id)

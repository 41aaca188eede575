"""What a client asks: the code of runs, while they run, wait, sleep and after."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sched_sdk.errors import NoWorkerError, QueryFailedError, QueryNotFoundError

if TYPE_CHECKING:
    from sched_sdk import Client
    from tests.sim.plan import Act, Job
    from tests.sim.world import World

Handle = Any

_PAUSE_S = 0.3
# Between questions: also while a step's outcome is on its way.
_PAUSES_S = (0.003, 0.02, 0.06, 0.3, 0.3)
_MEDDLERS = ("meddles", "meddles in silence")
_FOR_NOW = ("no worker answered", "starts later")


async def stack(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """What every workflow can be asked."""
    await _ask(world, handle, job, "__stack")
    await _ask(world, handle, job, "__queries")


async def query(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """Each answer knows what was durable when the question was put, and what the
    answer before it knew."""
    before: set[str] = set()
    for pause_s in _PAUSES_S:
        run = world.checkers.truth.by_run_id[handle.run_id]
        signals = {f"g{value}" for value in run.signals}
        told = set(await _ask(world, handle, job, "known") or ())
        # A run that somebody else ended has not seen everything that came to it.
        if run.closed and not run.closed_by_code:
            return
        if missing := (before | signals) - told:
            world.wrong("clients", f"{run}: an answer does not know {missing}, but {told}")
        before = told
        await asyncio.sleep(pause_s)


async def meddle(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """A handler that would change something is refused, and has changed nothing."""
    answer = await _ask(world, handle, job, _MEDDLERS[act.value % len(_MEDDLERS)])
    if answer is not None:
        world.wrong("clients", f"{job.workflow_id}: a query was allowed to meddle")


async def _ask(world: World, handle: Handle, job: Job, name: str) -> Any:
    """Again and again, while no worker can answer; None: it cannot be answered."""
    while True:
        run = world.checkers.truth.by_run_id[handle.run_id]
        try:
            return await handle.query(name)
        except NoWorkerError:
            await asyncio.sleep(_PAUSE_S)
        except QueryNotFoundError:
            # Ended before its code ran for the first time.
            if not run.closed or run.closed_by_code:
                world.wrong("clients", f"{run}: does not know the query {name}")
            return None
        except QueryFailedError as error:
            if "tried to change" in str(error):
                return None
            if not any(reason in str(error) for reason in _FOR_NOW):
                world.wrong("clients", f"{run}: the query {name} failed: {error}")
            await asyncio.sleep(_PAUSE_S)

"""What a client notes: what it was told, and how runs ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_sdk.errors import WorkflowFailedError
from tests.sim.ledger import Acknowledged

if TYPE_CHECKING:
    from tests.sim.plan import Job
    from tests.sim.world import World


async def result(world: World, job: Job, handle: Any, *, checked: bool = True) -> None:
    """Wait for the end of a run, or of those that go on instead."""
    try:
        value = await handle.result()
        status = "COMPLETED"
    except WorkflowFailedError as error:
        value, status = str(error.__cause__), error.status
    acknowledge(world, "result", job, handle.run_id, status)
    if checked:
        world.checkers.outcome(job, handle.run_id, status, value)


def acknowledge(world: World, kind: str, job: Job, run_id: str, detail: str) -> None:
    acknowledged = Acknowledged(kind, job.workflow_id, run_id, detail)
    world.ledger.acknowledged.append(acknowledged)
    world.trace.add(job.workflow_id, f"client knows: {kind} {detail}")
    world.checkers.acknowledged(acknowledged)

"""Waiting until certain runs are over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sched_cli.reload.verdict import Runs
    from sched_sdk._client import Client

_LOOK_AGAIN_S = 1.0


async def until_closed(engine: str, runs: Runs) -> None:
    """Return when none of them is open any more; rides out an engine that is away."""
    from sched_cli import access
    from sched_sdk import Client
    from sched_sdk.errors import SchedError

    given = access.given()
    left = list(runs)
    while left:
        try:
            async with await Client.connect(engine, tls=given.tls, token=given.token) as client:
                while left := [run for run in left if await _is_open(client, run)]:  # noqa: ASYNC110 - no event
                    await asyncio.sleep(_LOOK_AGAIN_S)
        except SchedError:  # away, or busy
            await asyncio.sleep(_LOOK_AGAIN_S)


async def _is_open(client: Client, run: tuple[str, str]) -> bool:
    from sched_sdk._client import WorkflowStatus
    from sched_sdk.errors import WorkflowNotFoundError

    workflow_id, run_id = run
    try:
        described = await client.workflow(workflow_id, run_id=run_id).describe()
    except WorkflowNotFoundError:
        return False
    return described.status is WorkflowStatus.RUNNING

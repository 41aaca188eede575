"""Activities that are completed from outside, by the token of their attempt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sched_sdk.errors import ActivityNotFoundError
from tests.sim.client_results import acknowledge

if TYPE_CHECKING:
    from sched_sdk import Client
    from tests.sim.plan import Act, Job
    from tests.sim.world import World

Handle = Any


async def elsewhere(world: World, client: Client, handle: Handle, job: Job, act: Act) -> None:
    """The attempt whose token is known may be over already: then another comes."""
    refused = b""
    failing = act.value == 1
    while not world.checkers.truth.closed(handle.run_id):
        token = world.ledger.tokens.get(handle.run_id, b"")
        if token and token != refused:
            attempt = client.activity(token)
            try:
                if failing:
                    await attempt.heartbeat("alive")
                    await attempt.fail(ConnectionError("fails on purpose"))
                    refused, failing = token, False
                    continue
                await attempt.complete(42)
            except ActivityNotFoundError:
                refused = token
            else:
                acknowledge(world, "elsewhere", job, handle.run_id, "")
                return
        await asyncio.sleep(0.1)

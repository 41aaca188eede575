"""Asking a cluster how it is.

Any engine answers, also one that stands by; but workers, what waits for them
and the queue are known to the leader only. So an answer of a standby is
completed by its leader's, if that can be reached from here.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from sched_cli.errors import EXIT_FAILED, EXIT_UNREACHABLE, CliError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._client import ClusterStatus

# The engine looks into its database for the answer.
_TIMEOUT_S = 4.0


async def find_status(engine: str) -> ClusterStatus:
    """What the first of these addresses says that answers.

    Raises CliError when none does.
    """
    from sched_sdk._client.addresses import parse_addresses

    addresses = parse_addresses(engine)
    status = await _first_answer(addresses)
    if status.queue is not None or not status.leader_address:
        return status
    return await _completed(status)


async def _first_answer(addresses: Sequence[str]) -> ClusterStatus:
    from sched_sdk._client.cluster import EngineSilentError, ask_status
    from sched_sdk.errors import EngineError, EngineUnavailableError

    # All at once: those that are away may take their time to show it.
    asking = [asyncio.ensure_future(ask_status(each, timeout=_TIMEOUT_S)) for each in addresses]
    problems, code, silent = [], EXIT_UNREACHABLE, False
    try:
        for address, answer in zip(addresses, asking, strict=True):
            try:
                return await answer
            except EngineUnavailableError as error:
                silent = silent or isinstance(error, EngineSilentError)
                problems.append(f"{address} ({error})")
            except EngineError as error:
                problems.append(f"{address} ({error})")
                code = EXIT_FAILED
    finally:
        for answer in asking:
            answer.cancel()
        await asyncio.wait(asking)
    if code == EXIT_FAILED:
        raise CliError(f"No engine can say how the cluster is: {'; '.join(problems)}")
    next_step = (
        "Look whether the database of the engine answers, and the network."
        if silent
        else "Start one: sched dev, or sched engine"
    )
    raise CliError(f"No engine at {' or '.join(problems)}. {next_step}", exit_code=code)


async def _completed(status: ClusterStatus) -> ClusterStatus:
    """With what only the leader knows, if it answers here."""
    from sched_sdk._client.cluster import ask_status
    from sched_sdk.errors import EngineError

    try:
        leader = await ask_status(status.leader_address, timeout=_TIMEOUT_S)
    except EngineError:
        return status
    return dataclasses.replace(
        status, queue=leader.queue, workers=leader.workers, task_queues=leader.task_queues
    )

"""Asking a cluster how it is.

Any engine answers, also one that stands by; but workers, what waits for them
and the queue are known to the leader only. So an answer of a standby is
completed by its leader's, if that can be reached from here.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from sched_cli.errors import EXIT_UNREACHABLE, CliError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._client import ClusterStatus
    from sched_sdk.errors import EngineError

# The engine looks into its database for the answer, for two seconds at most.
_TIMEOUT_S = 4.0
_GLANCE_S = 1.5


async def find_status(engine: str) -> ClusterStatus:
    """What the first of these addresses says that knows who leads; if none knows,
    what the first says that answers.

    Raises CliError when none does.
    """
    from sched_sdk._client.addresses import parse_addresses

    addresses = parse_addresses(engine)
    status = await _best_answer(addresses)
    if status.queue is not None or not status.leader_address:
        return status
    return await _completed(status)


async def how_engines_are(engine: str) -> dict[str, str]:
    """In a few words how each of these addresses answers, "stands by" for one."""
    from sched_sdk._client.addresses import parse_addresses

    addresses = parse_addresses(engine)
    answers = await asyncio.gather(*map(_how_it_is, addresses))
    return dict(zip(addresses, answers, strict=True))


async def _how_it_is(address: str) -> str:
    from sched_sdk._client.cluster import ask_status
    from sched_sdk.errors import EngineError

    try:
        status = await ask_status(address, timeout=_GLANCE_S)
    except EngineError as error:
        return f"does not answer ({error})"
    if status.role == "LEADER":
        return "leads by now"
    return "is taking over" if status.role == "RECOVERING" else "stands by"


async def _best_answer(addresses: Sequence[str]) -> ClusterStatus:
    from sched_sdk._client.cluster import ask_status
    from sched_sdk.errors import EngineError

    # All at once: those that are away may take their time to show it.
    asking = [asyncio.ensure_future(ask_status(each, timeout=_TIMEOUT_S)) for each in addresses]
    failures: list[tuple[str, EngineError]] = []
    leaderless: list[ClusterStatus] = []
    try:
        for address, answer in zip(addresses, asking, strict=True):
            try:
                status = await answer
            except EngineError as error:
                failures.append((address, error))
                continue
            if status.leader_address:
                _tell_who_is_cut_off(leaderless)
                return status
            leaderless.append(status)
    finally:
        for answer in asking:
            answer.cancel()
        await asyncio.wait(asking)
    if leaderless:
        _tell_who_is_cut_off(leaderless[1:])
        return leaderless[0]
    raise _nobody_answers(failures)


def _tell_who_is_cut_off(others: Sequence[ClusterStatus]) -> None:
    """Of engines that could not say who leads, while another is shown."""
    from sched_cli.render import console

    for status in others:
        if not status.store_status.connected:
            console.say(f"{status.address} is without its store: {status.store_status.last_error}")


def _nobody_answers(failures: Sequence[tuple[str, EngineError]]) -> CliError:
    from sched_sdk._client.cluster import EngineSilentError
    from sched_sdk.errors import (
        AuthenticationError,
        EngineUnavailableError,
        InvalidArgumentError,
    )

    ours = (AuthenticationError, InvalidArgumentError)  # a token, or a file
    refused = next((error for _, error in failures if isinstance(error, ours)), None)
    if refused is not None:
        return UsageError(str(refused))
    problems = [f"{address} ({error})" for address, error in failures]
    if not all(isinstance(error, EngineUnavailableError) for _, error in failures):
        return CliError(f"No engine can say how the cluster is: {'; '.join(problems)}")
    next_step = (
        "Look whether it is overloaded or stopped, and at the network."
        if any(isinstance(error, EngineSilentError) for _, error in failures)
        else "Start one: sched dev, or sched engine"
    )
    return CliError(
        f"No engine at {' or '.join(problems)}. {next_step}", exit_code=EXIT_UNREACHABLE
    )


async def _completed(status: ClusterStatus) -> ClusterStatus:
    """With what only the leader knows, if it answers here."""
    from sched_sdk._client.cluster import ask_status
    from sched_sdk.errors import EngineError

    try:
        leader = await ask_status(status.leader_address, timeout=_TIMEOUT_S)
    except EngineError:
        return status
    clock = dataclasses.replace(
        status.clock, cluster_time=leader.clock.cluster_time, advanced=leader.clock.advanced
    )
    return dataclasses.replace(
        status,
        queue=leader.queue,
        workers=leader.workers,
        task_queues=leader.task_queues,
        clock=clock,
        commit_latency=leader.commit_latency,
        dispatch_latency=leader.dispatch_latency,
    )

"""All checks, at the same time as far as they can be."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli import access
from sched_cli.doctor import engines, here, security, serving, workers, workflows
from sched_cli.doctor.findings import Finding, in_order, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._client import ClusterStatus

__all__ = ["Examination", "examine"]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found."""

    findings: tuple[Finding, ...]
    engine_answers: bool


async def examine(
    addresses: Sequence[str], *, postgres_dsn: str, redis_url: str, limit: int
) -> Examination:
    """Check the cluster at these addresses, and the servers that are named
    (empty: none). `limit` bounds how many open workflows are looked at.
    """
    from importlib.metadata import version

    answers, of_security, in_postgres, in_redis = await asyncio.gather(
        engines.ask(addresses),
        security.examine(addresses, access.given()),
        _postgres(postgres_dsn),
        _redis(redis_url),
    )
    found = [*here.examine(), *engines.judge(answers, version("sched-engine"))]
    leader = engines.leader_of(answers)
    if leader is not None:
        found += workers.judge(leader)
        found += await _workflows(leader, limit)
    return Examination(
        tuple(in_order([*found, *of_security, *in_postgres, *in_redis])),
        engine_answers=any(answer.status is not None for answer in answers),
    )


async def _postgres(dsn: str) -> list[Finding]:
    if not dsn:
        return []
    from sched_cli.doctor import postgres

    return await postgres.examine(dsn)


async def _redis(url: str) -> list[Finding]:
    if not url:
        return []
    from sched_cli.doctor import redis

    return await redis.examine(url)


async def _workflows(leader: ClusterStatus, limit: int) -> list[Finding]:
    from datetime import UTC, datetime

    from sched_cli.connection import connect
    from sched_cli.errors import CliError
    from sched_sdk.errors import EngineError

    try:
        async with await connect(leader.leader_address or leader.address) as client:
            open_ones, total = await workflows.look(client, limit)
    except (CliError, EngineError) as error:
        return [warn("workflows.stuck", f"The workflows could not be read: {error}", "Try again.")]
    # Ages go by the clock that the times are of, which may have been moved.
    now = leader.clock.cluster_time or datetime.now(UTC)
    return [*serving.judge(open_ones, leader), *workflows.judge(open_ones, total, now)]

"""What the simulated workflows do outside of their code: activities and steps.

All of them write in the ledger.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from sched_sdk import RetryPolicy, activity, activity_context
from tests.sim.ledger import ledger

PATIENT = RetryPolicy(
    initial_interval=timedelta(milliseconds=50),
    maximum_interval=timedelta(milliseconds=800),
    maximum_attempts=0,
)
TWICE = RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=40))
ONCE = RetryPolicy(maximum_attempts=1)
# Nobody serves it.
EMPTY_QUEUE = "nobody"


@activity(retry=PATIENT, start_to_close=timedelta(seconds=60))
async def double(value: int) -> int:
    ledger().activity_began()
    await asyncio.sleep(0.004 * (value % 4))
    return 2 * value


@activity(retry=PATIENT)
def plain_double(value: int) -> int:
    ledger().activity_began()
    return 2 * value


@activity(retry=PATIENT)
async def flaky(value: int, failures: int) -> int:
    ledger().activity_began()
    attempt = activity_context().attempt
    if attempt <= failures:
        raise ConnectionError(f"attempt {attempt} fails on purpose")
    return value + 1


@activity(retry=ONCE)
async def once(value: int) -> int:
    ledger().activity_began()
    await asyncio.sleep(0.05 if value % 2 else 1.5)
    return value


@activity(retry=TWICE)
async def always_fails() -> None:
    ledger().activity_began()
    raise ValueError("this one never works")


@activity(retry=PATIENT, heartbeat_timeout=timedelta(seconds=2))
async def until_canceled() -> None:
    ledger().activity_began()
    beats = 0
    while True:
        beats += 1
        activity_context().heartbeat(beats)
        await asyncio.sleep(0.3)


@activity(retry=TWICE, start_to_close=timedelta(milliseconds=300))
async def too_slow() -> None:
    ledger().activity_began()
    await asyncio.sleep(3600)


@activity(retry=TWICE, heartbeat_timeout=timedelta(milliseconds=400))
async def falls_silent() -> None:
    ledger().activity_began()
    activity_context().heartbeat("the only one")
    await asyncio.sleep(3600)


@activity(retry=PATIENT, start_to_close=timedelta(milliseconds=300))
async def just_in_time(value: int) -> int:
    """Its result may come when the engine has given the attempt up already."""
    ledger().activity_began()
    await asyncio.sleep(0.298)
    return 2 * value


@activity(retry=PATIENT)
async def elsewhere() -> int:
    context = activity_context()
    ledger().activity_began()
    ledger().tokens[context.info.run_id] = context.task_token
    context.complete_elsewhere()


@activity(retry=PATIENT)
async def fails_late(value: int) -> int:
    """Its failure may come when its worker counts as lost already."""
    ledger().activity_began()
    if activity_context().attempt <= 2:
        await asyncio.sleep(1.7 + 0.4 * (value % 4))
        raise ConnectionError("fails late on purpose")
    return 2 * value


@activity(retry=PATIENT)
async def outlives_workers() -> None:
    ledger().activity_began()
    await asyncio.sleep(3600)


@activity(retry=PATIENT)
async def report_dispatch(pause_s: float) -> str:
    """Says which dispatch it was, so that it can be told whose answer counted."""
    dispatch = ledger().activity_began()
    info = activity_context().info
    await asyncio.sleep(pause_s)
    ledger().results[info.run_id, info.seq][str(dispatch)] = dispatch
    return str(dispatch)


async def step_triple(run_id: str, name: str, value: int, after: str) -> tuple[str, int]:
    ledger().step_began(run_id, name, after=after)
    await asyncio.sleep(0.001 * (value % 5))
    return name, 3 * value


async def step_flaky(run_id: str, name: str, value: int, failures: int) -> tuple[str, int]:
    ledger().step_began(run_id, name)
    if ledger().steps[run_id, name] <= failures:
        raise ConnectionError("fails on purpose")
    return name, 3 * value


def step_plain(run_id: str, name: str, value: int) -> tuple[str, int]:
    ledger().step_began(run_id, name)
    return name, 3 * value


ACTIVITIES: list[Any] = [
    double,
    plain_double,
    flaky,
    once,
    always_fails,
    until_canceled,
    too_slow,
    falls_silent,
    just_in_time,
    elsewhere,
    fails_late,
    outlives_workers,
    report_dispatch,
]

"""What the recorded workflows call. Replay never does."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sched_sdk import ApplicationError, RetryPolicy, activity, activity_context

SOON = RetryPolicy(initial_interval=0.01, maximum_interval=0.01, maximum_attempts=5)
ONCE = RetryPolicy(maximum_attempts=1)


@dataclass
class Item:
    """A payload with fields of several types."""

    name: str
    price: Decimal
    ordered: datetime
    tags: list[str]


@activity
async def charge(number: str, cents: int) -> str:
    return f"receipt {number}"


@activity
def ship(number: str) -> dict[str, int]:
    return {"parcels": len(number)}


@activity(retry=SOON)
async def unsteady(number: str) -> int:
    """Fails twice, then succeeds."""
    if activity_context().attempt < 3:
        raise ConnectionError(f"no route for {number}")
    return activity_context().attempt


@activity(retry=ONCE)
async def refuse(number: str) -> None:
    raise ApplicationError(f"{number} is blocked", type="Blocked", details=[{"code": 7}])


@activity(start_to_close=0.02, retry=ONCE)
async def slow(number: str) -> None:
    await asyncio.Event().wait()


@activity(heartbeat_timeout=0.3, retry=ONCE)
async def endless(number: str) -> str:
    """Runs until it is cancelled."""
    while not activity_context().cancelled:
        activity_context().heartbeat(number)
        await asyncio.sleep(0.02)
    return "cancelled"


@activity
def price(item: Item) -> Item:
    return Item(item.name, item.price * 2, item.ordered, [*item.tags, "priced"])


@activity
def echo(value: bytes) -> bytes:
    return value


ACTIVITIES = [charge, ship, unsteady, refuse, slow, endless, price, echo]

_tries: dict[str, int] = {}
signalled = threading.Event()
"""Set once a signal was sent to the workflow whose step waits for it."""


def draw(number: str) -> int:
    return len(number)


def stumble(number: str) -> str:
    """A step that fails the first time."""
    _tries[number] = _tries.get(number, 0) + 1
    if _tries[number] < 2:
        raise OSError(f"try {_tries[number]} of {number}")
    return "done"


def fall(number: str) -> None:
    raise ApplicationError(f"{number} has no shelf", type="NoShelf", non_retryable=True)


def hold(number: str) -> str:
    """A step that ends only when a signal is there that its workflow has not seen."""
    if not signalled.wait(5):
        raise TimeoutError("nobody sent the signal")
    return number

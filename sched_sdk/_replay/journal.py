"""Commands in code order, and what the code still waits for.

While an activation runs, whatever the code asks for is only noted, in order.
When it is idle, `flush` gives each request that still stands the next number
and moves it to where it belongs: commands to `produced`, awaited things to
their tables by number. So a timer that was set and cancelled within one
activation leaves no trace and takes no number, and numbers have no gaps.

`produced` is then compared with the history (replay) or sent (live).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sched_sdk._replay.activities import ActivityHandle
    from sched_sdk._replay.commands import Command
    from sched_sdk._replay.loop import DurableTimer
    from sched_sdk._replay.steps import StepRequest

__all__ = ["Evicted", "Journal", "Request"]


class Evicted(BaseException):
    """Raised into code that asks for something while its run is being evicted.

    Not an Exception, so that `except Exception` in the code does not see it.
    """


class Request(Protocol):
    """Something that code asked for and that is numbered when it is idle."""

    def settle(self, journal: Journal) -> None:
        """Take a number and the place to wait at, or nothing if withdrawn."""


class Journal:
    __slots__ = (
        "abandoned_steps",
        "activities",
        "closing",
        "evicted",
        "fresh",
        "last_seq",
        "produced",
        "refusal",
        "refused",
        "steps",
        "timers",
    )

    def __init__(self) -> None:
        self.fresh: list[Request] = []
        self.produced: deque[Command] = deque()
        self.last_seq = 0
        self.activities: dict[int, ActivityHandle[Any]] = {}
        self.timers: dict[int, DurableTimer] = {}
        self.steps: dict[int, StepRequest] = {}
        # Steps whose outcome nobody waits for any more; a recorded one is skipped.
        self.abandoned_steps: set[int] = set()
        # How the workflow closes once everything is drained; None while its function runs.
        self.closing: Command | None = None
        # Why code may not ask for anything at the moment; empty: it may.
        self.refusal = ""
        # Code asked all the same; whoever sets `refusal` may look at it.
        self.refused = False
        self.evicted = False

    def check(self) -> None:
        """Raise if code may not ask for anything now."""
        if self.evicted:
            raise Evicted
        if self.refusal:
            self.refused = True
            raise RuntimeError(self.refusal)

    def add(self, request: Request) -> None:
        self.check()
        self.fresh.append(request)

    def take_number(self) -> int:
        self.last_seq += 1
        return self.last_seq

    def flush(self) -> None:
        fresh = self.fresh
        self.fresh = []
        for request in fresh:
            request.settle(self)

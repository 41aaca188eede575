"""What activities, steps and clients know to have happened, whoever was killed.

It stands outside of the simulated system, as a person with a notebook would.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from sched_sdk import activity_context
from sched_sdk.api.v1 import worker_service_pb2

if TYPE_CHECKING:
    from collections.abc import Callable


class Attempt(NamedTuple):
    """One time that an activity's code ran."""

    at: float
    dispatch: int
    number: int


class Acknowledged(NamedTuple):
    """What a client was told."""

    kind: str
    """start, signal, cancel, terminate, result, elsewhere"""
    workflow_id: str
    run_id: str
    detail: str
    """A request id, a status, or a result."""


class Ledger:
    def __init__(self, time: Callable[[], float], wrong: Callable[[str], None]) -> None:
        self.time = time
        self.wrong = wrong
        self.attempts: dict[tuple[str, int], list[Attempt]] = defaultdict(list)
        self.results: dict[tuple[str, int], dict[str, int]] = defaultdict(dict)
        """What a finished attempt said, and its dispatch number."""
        self.steps: Counter[tuple[str, str]] = Counter()
        self.tokens: dict[str, bytes] = {}
        self.copies: dict[str, str] = {}
        """The runs that resets and forks began, by request id."""
        self.acknowledged: list[Acknowledged] = []
        self.fact_recorded: Callable[[str, str], bool] = lambda run_id, fact: True
        self.step_recorded: Callable[[str, str], bool] = lambda run_id, name: True

    def activity_began(self) -> int:
        """Returns the dispatch number of the attempt that runs."""
        context = activity_context()
        info = context.info
        claim = worker_service_pb2.ActivityClaim.FromString(context.task_token)
        attempt = Attempt(self.time(), claim.dispatch, info.attempt)
        self.attempts[info.run_id, info.seq].append(attempt)
        return claim.dispatch

    def step_began(self, run_id: str, name: str, *, after: str = "") -> None:
        self.steps[run_id, name] += 1
        if after and not self.step_recorded(run_id, after):
            self.wrong(f"step {name} of run {run_id} began before {after} was durable")

    def told(self, run_id: str, facts: list[str]) -> None:
        """A query is answered with `facts`: all of them must be durable."""
        for fact in facts:
            if not self.fact_recorded(run_id, fact):
                self.wrong(f"a query of run {run_id} was told {fact}, which is not durable")


# Of the world that runs; there is one at a time, and activities have no other way to it.
_open: list[Ledger] = []


def open_ledger(ledger: Ledger) -> None:
    _open[:] = [ledger]


def close_ledger() -> None:
    _open.clear()


def ledger() -> Ledger:
    return _open[0]

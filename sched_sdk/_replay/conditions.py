"""`wait_for(predicate)`: wake when something becomes true.

Predicates are asked when the code is idle, in the order in which they were
registered. The first that is true wakes its waiter, the code runs until idle
again, and asking starts over, until none is true. So a waiter never wakes to a
state in which its predicate was made false again by another.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from sched_sdk._replay.call_sites import CallSite
    from sched_sdk._replay.loop import ReplayLoop

__all__ = ["Conditions"]

# A predicate that its own waiter makes true again and again never ends.
_MAXIMUM_ROUNDS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class _Condition:
    predicate: Callable[[], object]
    future: asyncio.Future[None]
    context: contextvars.Context
    since_us: int
    """Workflow time at which the wait began."""


class Conditions:
    def __init__(self, loop: ReplayLoop) -> None:
        self._loop = loop
        self._waiting: list[_Condition] = []

    @property
    def waiting(self) -> list[_Condition]:
        """Who waits, in order of registration."""
        return self._waiting

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def wait(
        self, predicate: Callable[[], object], timeout_us: int | None, site: CallSite
    ) -> None:
        """Returns at once if the predicate is true. TimeoutError after
        `timeout_us` of workflow time."""
        if self._ask(predicate):
            return
        loop = self._loop
        condition = _Condition(
            predicate, loop.create_future(), contextvars.copy_context(), loop.now_us
        )
        self._waiting.append(condition)
        timer = None
        if timeout_us is not None:
            timer = self._loop.start_timer(
                timeout_us, _time_out, (condition.future, timeout_us), site=site
            )
        try:
            await condition.future
        finally:
            if condition in self._waiting:
                self._waiting.remove(condition)
            if timer is not None:
                timer.cancel()

    def settle(self) -> None:
        """Wake who can be woken, and run until idle after each."""
        for _ in range(_MAXIMUM_ROUNDS):
            if not self._wake_one():
                return
            self._loop.run_until_idle()
        raise RuntimeError(
            f"wait_for woke waiters {_MAXIMUM_ROUNDS} times without an event; "
            "a predicate stays true although its waiter has run"
        )

    def _wake_one(self) -> bool:
        for condition in self._waiting:
            if condition.future.done():
                continue
            try:
                holds = condition.context.run(self._ask, condition.predicate)
            except BaseException as error:
                self._waiting.remove(condition)
                condition.future.set_exception(_as_exception(error))
                return True
            if holds:
                self._waiting.remove(condition)
                condition.future.set_result(None)
                return True
        return False

    def _ask(self, predicate: Callable[[], object]) -> bool:
        journal = self._loop.journal
        outer, journal.refusal = journal.refusal, "a predicate of wait_for only looks at values"
        try:
            return bool(predicate())
        finally:
            journal.refusal = outer


def _as_exception(error: BaseException) -> BaseException:
    if isinstance(error, StopIteration):  # which a future cannot carry
        wrapped = RuntimeError("the predicate of wait_for raised StopIteration")
        wrapped.__cause__ = error
        return wrapped
    return error


def _time_out(future: asyncio.Future[None], timeout_us: int) -> None:
    if not future.done():
        future.set_exception(
            TimeoutError(f"the condition did not hold within {timeout_us / 1_000_000:g} s")
        )

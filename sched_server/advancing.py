"""Moving the clock of a dev server, so that what waits for a week happens now.

Time does not jump over anything. It goes to the next due time, lets that fire,
and waits until everything that follows from it has happened: commits, workflow
tasks, activities, steps. Only then is the next due time looked for, which may be
one that was set just now. So histories are what they would be if the time had
passed, except that everybody was quick.

    quiet ─▶ next due time ─▶ remember the offset ─▶ move ─▶ it fires ─▶ quiet …

The offset is durable before the clock moves, so time does not go back when the
server is started again. Leases, keepalives and graces are real time, which
nothing here touches; and time does not move past work that is under way, so no
attempt times out because of it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from msgspec import Struct

from sched_server.errors import Rejection, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sched_server.execution import Execution
    from sched_server.shard_group import ShardGroup

__all__ = ["Advance", "advance"]

DEFAULT_PATIENCE_S = 10.0
SHOWN_WORKFLOWS = 100
_TELL_EVERY_S = 0.5
# Quiet is what is found twice, with a turn for everybody in between.
_CALM = 2
_PAUSE_S = 0.001
_LONG_PAUSE_S = 0.01


class Advance(Struct, frozen=True):
    """How far it is."""

    advanced_us: int
    timers_fired: int
    workflows_touched: int
    workflow_ids: tuple[str, ...]
    """Of the first of them."""
    now_us: int
    done: bool
    stopped_by: str
    """Why it did not come further; empty if it did."""


async def advance(
    group: ShardGroup, by_us: int, *, patience_s: float = DEFAULT_PATIENCE_S
) -> AsyncGenerator[Advance]:
    """Move the clock of `group`; tells from time to time how far it is, and at the
    end. Giving up in between leaves time where it is then.

    Work that is under way may take `patience_s`; then time stops moving.
    Raises Rejection (negative, or another one is under way) and Unavailable.
    """
    if by_us < 0:
        raise Rejection("INVALID_ARGUMENT", "time does not go back; give a positive duration")
    if group.on_fired is not None:
        raise Rejection("INVALID_ARGUMENT", "somebody else moves the clock now; try again then")
    journey = _Journey(group, by_us, patience_s)
    group.on_fired = journey.fired
    told = group.machine.monotonic()
    try:
        while await journey.go_on():
            if group.machine.monotonic() - told > _TELL_EVERY_S:
                told = group.machine.monotonic()
                yield journey.report(done=False)
    finally:
        group.on_fired = None
    yield journey.report(done=True)


class _Journey:
    def __init__(self, group: ShardGroup, by_us: int, patience_s: float) -> None:
        self._group = group
        self._by_us = by_us
        self._left_us = by_us
        self._patience_s = patience_s
        self._timers = 0
        self._touched: dict[str, None] = {}
        self._stopped_by = ""

    def fired(self, execution: Execution) -> None:
        self._timers += 1
        self._touched[execution.state.workflow_id] = None

    def report(self, *, done: bool) -> Advance:
        return Advance(
            advanced_us=self._by_us - self._left_us,
            timers_fired=self._timers,
            workflows_touched=len(self._touched),
            workflow_ids=tuple(self._touched)[:SHOWN_WORKFLOWS],
            now_us=self._group.clock.now_us(),
            done=done,
            stopped_by=self._stopped_by,
        )

    async def go_on(self) -> bool:
        """One due time further. False: that was the last."""
        self._stopped_by = await self._quiet()
        if self._stopped_by:
            return False
        group, now_us = self._group, self._group.clock.now_us()
        due_us = await group.timers.next_due_us(now_us + self._left_us)
        step_us = self._left_us if due_us is None else max(0, due_us - group.clock.now_us())
        await group.store.advance_clock(
            group.number, group.epoch, group.clock.advanced_us + step_us
        )
        group.clock.advance(step_us)
        group.timers.clock_moved()
        self._left_us -= step_us
        return due_us is not None

    async def _quiet(self) -> str:
        """Wait until nothing happens any more by itself; what still does when the
        patience is at its end."""
        monotonic = self._group.machine.monotonic
        began, calm = monotonic(), 0
        while calm < _CALM:
            if self._group.closed:
                raise Unavailable("this engine does not lead any more; try another")
            doing = _doing(self._group)
            waited = monotonic() - began
            if doing and waited > self._patience_s:
                return doing
            calm = 0 if doing else calm + 1
            await asyncio.sleep(_PAUSE_S if waited < 20 * _LONG_PAUSE_S else _LONG_PAUSE_S)
        return ""


def _doing(group: ShardGroup) -> str:
    """What goes on now, for people; empty if nothing does."""
    for session in group.workers.sessions.values():
        for execution in session.held.values():
            return f"the code of {execution.state.workflow_id} runs on {session.identity}"
        for run_key, seq in session.activities.values():
            return f"{_activity(group, run_key, seq)} runs on {session.identity}"
    if group.committing:
        return "changes are not written yet"
    if group.timers.busy:
        return "timers that are due have not all fired"
    if group.dispatcher.busy:
        return "tasks are on their way to workers"
    return ""


def _activity(group: ShardGroup, run_key: int, seq: int) -> str:
    execution = group.cache.get(run_key)
    activity = None if execution is None else execution.state.activities.get(seq)
    if execution is None or activity is None:
        return "an activity"
    return f"activity {activity.scheduled.name} of {execution.state.workflow_id}"

"""What a shard group does without being asked: give lost tasks out again, and put
back what a failed commit has thrown out of memory."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from sched_server.core.values import Status
from sched_server.observability.log_fields import about
from sched_server.store.port import StoreError

if TYPE_CHECKING:
    from sched_server.execution import Execution
    from sched_server.shard_group import ShardGroup
    from sched_server.store.port import TimerRow

__all__ = ["Revivals", "reconcile", "watch_overdue_tasks"]

logger = logging.getLogger("sched.engine")

RECONCILE_EVERY_S = 5.0


async def watch_overdue_tasks(group: ShardGroup) -> None:
    """Give tasks out again whose workers neither answer nor renew them."""
    pause = min(1.0, group.settings.workflow_task_timeout_s / 4)
    while True:
        await asyncio.sleep(pause)
        for execution in group.dispatcher.overdue():
            assert execution.holder is not None
            logger.warning(
                "workflow %s: worker %s let its task time out; it goes to another",
                execution.state.workflow_id,
                execution.holder.session.identity,
                extra=about(execution.state),
            )
            group.lose_workflow_task(execution)


async def reconcile(group: ShardGroup) -> None:
    """Look for tasks that wait although a worker is free: their delivery was lost."""
    while True:
        await asyncio.sleep(RECONCILE_EVERY_S)
        try:
            await group.dispatcher.reconcile()
        except StoreError as error:
            logger.warning("waiting tasks could not be read: %s", error)


class Revivals:
    """Runs that a failed commit has thrown out of memory, until their timers and
    tasks are put back from the rows."""

    def __init__(self, group: ShardGroup) -> None:
        self._group = group
        self._under_way: Counter[int] = Counter()
        self._held_back: set[int] = set()
        """Runs of which a timer came due since their rows were last asked for."""

    def hold_back(self, run_key: int) -> bool:
        """Whether a timer of the run that is due must wait until the run is back. Then
        it is read from its row, and set again."""
        if run_key not in self._under_way:
            return False
        self._held_back.add(run_key)
        return True

    def begin(self, run_key: int, *, closing: bool) -> None:
        """`closing`: what failed would have closed it, and perhaps it was written
        all the same."""
        self._under_way[run_key] += 1
        self._group.spawn(self._revive(run_key, closing=closing))

    async def _revive(self, run_key: int, *, closing: bool) -> None:
        try:
            execution = await self._restored(run_key, closing=closing)
        finally:
            self._under_way[run_key] -= 1
            if not self._under_way[run_key]:
                del self._under_way[run_key]
                self._held_back.discard(run_key)
        if execution is not None:
            self._group.dispatcher.hand_out_waiting(execution)

    async def _restored(self, run_key: int, *, closing: bool) -> Execution | None:
        """The run with its timers; None if it needs none any more."""
        group = self._group
        while True:
            try:
                execution = await group.load(run_key)
                if execution is None:
                    return None
                if execution.state.status is not Status.RUNNING:
                    group.dispatcher.let_go(execution)
                    if closing and group.tracing is not None:
                        group.tracing.closed(execution.state)
                    return None
                for row in await self._timers(run_key):
                    group.timers.restore(run_key, row.kind, row.seq, row.due_us)
            except StoreError as error:
                logger.warning("run %d could not be reloaded, trying again: %s", run_key, error)
                await asyncio.sleep(0.5)
            else:
                return execution

    async def _timers(self, run_key: int) -> list[TimerRow]:
        """As they are stored. One that a commit has set meanwhile, and that was held
        back, may be missing in rows that come late; so they are read again."""
        while True:
            self._held_back.discard(run_key)
            rows = await self._group.store.read_timers(run_key)
            if run_key not in self._held_back:
                return rows

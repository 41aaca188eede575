"""What a shard group does without being asked: give lost tasks out again, and put
back what a failed commit has thrown out of memory."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sched_server.core.values import Status
from sched_server.observability.log_fields import about
from sched_server.store.port import StoreError

if TYPE_CHECKING:
    from sched_server.shard_group import ShardGroup

__all__ = ["reconcile", "revive", "watch_overdue_tasks"]

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


async def revive(group: ShardGroup, run_key: int, *, closing: bool) -> None:
    """Put a dropped run's timers and tasks back from its rows. `closing`: what
    failed would have closed it, and perhaps it was written all the same."""
    while True:
        try:
            execution = await group.load(run_key)
            if execution is None:
                return
            if execution.state.status is not Status.RUNNING:
                if closing and group.tracing is not None:
                    group.tracing.closed(execution.state)
                return
            for row in await group.store.read_timers(run_key):
                group.timers.set(run_key, row.kind, row.seq, row.due_us)
            break
        except StoreError as error:
            logger.warning("run %d could not be reloaded, trying again: %s", run_key, error)
            await asyncio.sleep(0.5)
    group.dispatcher.hand_out_waiting(execution)

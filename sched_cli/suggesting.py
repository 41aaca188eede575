""" "Did you mean …": names that are there, for one that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sched_sdk._client import Client

__all__ = ["did_you_mean", "similar_id", "similar_queue", "similar_type"]

_NEWEST_RUNS = 200
_ALIKE = 3


def did_you_mean(given: str, names: Iterable[str], *, cutoff: float = 0.6) -> str:
    """ " Did you mean 'Order'?", to be put behind a sentence; empty if nothing is like it,
    which is a similarity of `cutoff` of 1."""
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in names if name != given}
    found = get_close_matches(given.lower(), by_lower, cutoff=cutoff)
    close = [by_lower[name] for name in found]
    return f" Did you mean {', '.join(map(repr, close))}?" if close else ""


async def similar_type(client: Client, given: str) -> str:
    """The same for a workflow type, of those that workers serve; empty also for one
    that is served."""
    status = await client.cluster_status()
    served = {name for worker in status.workers for name in worker.workflow_types}
    return "" if given in served else did_you_mean(given, served)


async def similar_queue(client: Client, given: str) -> str:
    """The same for a task queue, of those that have workers."""
    status = await client.cluster_status()
    served = {queue.name for queue in status.task_queues if queue.workers}
    return "" if given in served else did_you_mean(given, served)


async def similar_id(client: Client, given: str) -> str:
    """The same for a workflow id, of the newest runs that begin alike, and of the newest."""
    for beginning in dict.fromkeys((given[:_ALIKE], "")):
        runs = client.list_workflows(id_prefix=beginning or None, limit=_NEWEST_RUNS)
        if like := did_you_mean(given, {run.workflow_id: None async for run in runs}):
            return like
    return ""

""" "Did you mean …": names that are there, for one that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sched_sdk._client import Client

__all__ = ["did_you_mean", "similar_type"]


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """ " Did you mean 'Order'?", to be put behind a sentence; empty if nothing is like it."""
    from difflib import get_close_matches

    by_lower = {name.lower(): name for name in names if name != given}
    close = [by_lower[name] for name in get_close_matches(given.lower(), by_lower)]
    return f" Did you mean {', '.join(map(repr, close))}?" if close else ""


async def similar_type(client: Client, given: str) -> str:
    """The same for a workflow type, of those that workers serve; empty also for one
    that is served."""
    status = await client.cluster_status()
    served = {name for worker in status.workers for name in worker.workflow_types}
    return "" if given in served else did_you_mean(given, served)

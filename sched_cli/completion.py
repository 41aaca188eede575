"""What a shell offers when somebody presses Tab: ids, types and queues of the engine
that the line means.

A person waits, in the middle of a word. So the engine has a fifth of a second, and
whatever goes wrong is silence: no engine, no names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sched_sdk._client import ClusterStatus

__all__ = ["profile_names", "statuses", "task_queues", "workflow_ids", "workflow_types"]

_PATIENCE_S = 0.2
_MOST = 50
_STATUSES = (
    "RUNNING",
    "COMPLETED",
    "FAILED",
    "CANCELED",
    "TERMINATED",
    "TIMED_OUT",
    "CONTINUED_AS_NEW",
)


def workflow_ids(ctx: Any, incomplete: str) -> list[str]:
    """Ids that begin so, those of the newest workflows first."""
    return _in_time(_ids(_engine(ctx), incomplete))


def workflow_types(ctx: Any, incomplete: str) -> list[str]:
    """Types that workers serve."""
    served = _in_time(_served(_engine(ctx), "workflow_types"))
    return [name for name in served if name.startswith(incomplete)]


def task_queues(ctx: Any, incomplete: str) -> list[str]:
    """Queues that have workers or tasks."""
    names = _in_time(_served(_engine(ctx), "task_queues"))
    return [name for name in names if name.startswith(incomplete)]


def statuses(incomplete: str) -> list[str]:
    """Statuses, in the case in which they are typed: both are understood."""
    names = [name.lower() for name in _STATUSES] if incomplete.islower() else _STATUSES
    return [name for name in names if name.startswith(incomplete)]


def profile_names(incomplete: str) -> list[str]:
    """The profiles of the file."""
    from sched_cli import profiles
    from sched_cli.errors import UsageError

    try:
        names = profiles.read(profiles.path()).engines
    except UsageError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def _engine(ctx: Any) -> str:
    """The one that the line names, else the one that the environment or a profile does."""
    from sched_cli import profiles
    from sched_cli.errors import UsageError
    from sched_cli.options import DEFAULT_ENGINE

    typed = ctx.params.get("engine")
    if typed and typed != DEFAULT_ENGINE:
        return str(typed)
    try:
        return profiles.choose(None).engine or DEFAULT_ENGINE
    except UsageError:
        return DEFAULT_ENGINE


def _in_time(asking: Coroutine[Any, Any, list[str]]) -> list[str]:
    import asyncio

    # Loading the client is not the engine's time.
    import sched_sdk._client  # noqa: F401 - loaded for those that ask

    async def bounded() -> list[str]:
        async with asyncio.timeout(_PATIENCE_S):
            return await asking

    try:
        return asyncio.run(bounded())
    except Exception:
        return []


async def _ids(engine: str, prefix: str) -> list[str]:
    from sched_sdk import Client

    async with await Client.connect(engine, timeout=_PATIENCE_S) as client:
        runs = client.list_workflows(id_prefix=prefix or None, limit=_MOST)
        return list(dict.fromkeys([run.workflow_id async for run in runs]))


async def _served(engine: str, what: str) -> list[str]:
    from sched_sdk._client.addresses import parse_addresses
    from sched_sdk._client.cluster import ask_status

    status = await ask_status(parse_addresses(engine)[0], timeout=_PATIENCE_S)
    if what == "task_queues":
        return [queue.name for queue in status.task_queues]
    return sorted(_types(status))


def _types(status: ClusterStatus) -> set[str]:
    return {name for worker in status.workers for name in worker.workflow_types}

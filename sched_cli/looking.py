"""A look at one workflow: what the engine knows of it, and what its own code says.

The code is asked only when a worker may answer, and not for long: whoever looks
wants to know now, and most is known without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from sched_cli.timeline import Timeline
    from sched_sdk._client import Client, WorkflowHandle
    from sched_sdk._client.models import WorkflowDescription

__all__ = ["Sight", "is_over", "look", "read_timeline"]

_ANSWER_S = 1.0
# How far back the last thing that the code did is looked for.
_LAST_EVENTS = 50
# Of longer histories a picture shows the end.
_DRAWN_EVENTS = 2_000


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen."""

    description: WorkflowDescription
    now: datetime
    """When that was, by the engine's clock."""
    stack: list[dict[str, Any]] | None = None
    """The answer to `__stack`; None when nobody answered in time."""
    no_worker: bool = False
    """No worker is connected that could answer."""
    idle_since: datetime | None = None
    """When the code last did something, if it does nothing now."""


async def look(handle: WorkflowHandle[Any]) -> Sight:
    """Raises WorkflowNotFoundError. Never waits long for a worker."""
    from sched_sdk.errors import EngineError, NoWorkerError

    description = await handle.describe()
    if description.status.closed or not _can_answer(description):
        return Sight(description, handle.cluster_time())
    stack: list[dict[str, Any]] | None = None
    no_worker = False
    try:
        stack = await handle.query("__stack", timeout=_ANSWER_S)
    except (EngineError, TimeoutError) as error:
        no_worker = isinstance(error, NoWorkerError)
    return Sight(
        # Read after the answer, so that both tell of one time.
        await handle.describe(),
        handle.cluster_time(),
        stack=stack,
        no_worker=no_worker,
        idle_since=None if stack is not None else await _idle_since(handle, description),
    )


def is_over(sight: Sight) -> bool:
    """Whether nothing more comes: it has ended, and no other run goes on instead."""
    description = sight.description
    return description.status.closed and not (
        description.status == "CONTINUED_AS_NEW" or description.new_run_id
    )


async def read_timeline(client: Client, description: WorkflowDescription) -> Timeline:
    """What happened when, in the newest events of the run that was described."""
    from sched_cli.timeline import Timeline

    info = description.info
    handle = client.workflow(info.workflow_id, run_id=info.run_id)
    timeline = Timeline()
    async for event in handle.history(after=max(0, info.history_length - _DRAWN_EVENTS)):
        timeline.add(event)
    return timeline


def _can_answer(description: WorkflowDescription) -> bool:
    """Whether asking its code is worth while: it runs, and gets on."""
    task = description.workflow_task
    return task is None or (task.has_worker and not task.last_failure_cause)


async def _idle_since(
    handle: WorkflowHandle[Any], description: WorkflowDescription
) -> datetime | None:
    if description.workflow_task is not None:
        return None
    since: datetime | None = None
    async for event in handle.history(after=max(0, description.info.history_length - _LAST_EVENTS)):
        if event.type == "WorkflowTaskCompleted":
            since = event.time
    return since

"""Open workflows that do not get on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from sched_cli.doctor.findings import Finding, fail, ok, warn
from sched_cli.render.reasons import in_one_line
from sched_cli.render.times import duration

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sched_sdk._client import Client
    from sched_sdk._client.models import WorkflowDescription

__all__ = ["judge", "look"]

_AT_A_TIME = 64
_RETRYING = timedelta(minutes=10)
"""An activity that has failed for longer than this is told."""
_SHOWN = 3
_LONGEST = 160


async def look(client: Client, limit: int) -> tuple[list[WorkflowDescription], int]:
    """The newest open workflows, at most `limit`, and how many are open in all."""
    from sched_sdk.errors import WorkflowNotFoundError

    counted = await client.count_workflows(status="RUNNING")
    slots = asyncio.Semaphore(_AT_A_TIME)

    async def describe(workflow_id: str) -> WorkflowDescription | None:
        async with slots:
            try:
                return await client.workflow(workflow_id).describe()
            except WorkflowNotFoundError:
                return None

    ids = [run.workflow_id async for run in client.list_workflows(status="RUNNING", limit=limit)]
    described = await asyncio.gather(*map(describe, ids))
    return [each for each in described if each is not None], counted.total


def judge(open_ones: Sequence[WorkflowDescription], total: int, now: datetime) -> list[Finding]:
    """What is to be said of them."""
    looked_at = _looked_at(len(open_ones), total)
    stuck, retrying = _stuck(open_ones), _retrying(open_ones, now)
    return [
        *(stuck or [ok("workflows.stuck", f"No code is stuck, of {looked_at}")]),
        *(
            retrying
            or [ok("workflows.retrying", f"No activity has failed for long, of {looked_at}")]
        ),
    ]


def _looked_at(count: int, total: int) -> str:
    if count < total:
        return f"the newest {count} of {total} open workflows (--limit looks at more)"
    return "1 open workflow" if total == 1 else f"{total} open workflows"


def _stuck(open_ones: Sequence[WorkflowDescription]) -> list[Finding]:
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for each in open_ones:
        task = each.workflow_task
        if task is not None and (task.last_failure_cause or task.last_failure is not None):
            cause = task.last_failure_cause.replace("_", "-").lower() or "an error"
            words = in_one_line(task.last_failure) if task.last_failure is not None else ""
            kinds.setdefault((each.info.workflow_type, cause, _cut(words)), []).append(
                each.info.workflow_id
            )
    return [
        fail(
            "workflows.stuck",
            f"{kind}: the code of {_some(ids)} fails with {cause}{f': {words}' if words else ''}",
            f"sched why {ids[0]} says more; mend the code, and the workers go on by themselves.",
        )
        for (kind, cause, words), ids in kinds.items()
    ]


def _retrying(open_ones: Sequence[WorkflowDescription], now: datetime) -> list[Finding]:
    names: dict[str, list[tuple[timedelta, str, str]]] = {}
    for each in open_ones:
        for activity in each.activities:
            if activity.attempt < 2 or activity.scheduled_time is None:
                continue
            since = now - activity.scheduled_time
            if since >= _RETRYING:
                words = in_one_line(activity.last_failure) if activity.last_failure else ""
                names.setdefault(activity.name, []).append(
                    (since, each.info.workflow_id, _cut(words))
                )
    found = []
    for name, failing in names.items():
        failing.sort(reverse=True)
        since, oldest, words = failing[0]
        ids = list(dict.fromkeys(workflow_id for _, workflow_id, _ in failing))
        found.append(
            warn(
                "workflows.retrying",
                f"Activity {name} of {_some(ids)} has failed again and again for up to "
                f"{duration(since)}{f': {words}' if words else ''}",
                f"sched why {oldest} says more; mend what it needs, or cancel the workflow.",
            )
        )
    return found


def _some(ids: Sequence[str]) -> str:
    more = len(ids) - _SHOWN
    return ", ".join(ids[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"

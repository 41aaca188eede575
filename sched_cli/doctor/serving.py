"""Open workflows for whose code, or activities, there is no worker.

A queue may have workers that lack what one workflow on it needs: the name is wrong, or
code of it was never deployed there. A queue without workers is told by `workers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sched_cli.doctor.findings import Finding, fail, ok, warn
from sched_cli.render.waits import start_worker
from sched_cli.suggesting import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sched_sdk._client import ClusterStatus
    from sched_sdk._client.models import WorkerStatus, WorkflowDescription

__all__ = ["judge"]

_SHOWN = 3


@dataclass(slots=True)
class _Served:
    """What the workers of one queue have."""

    workflows: set[str] = field(default_factory=set)
    activities: set[str] = field(default_factory=set)

    def add(self, worker: WorkerStatus) -> None:
        self.workflows.update(worker.workflow_types)
        self.activities.update(worker.activity_names)


Missing = dict[tuple[str, str], list[str]]
"""The ids of those that need it, by task queue and name."""


def judge(open_ones: Sequence[WorkflowDescription], status: ClusterStatus) -> list[Finding]:
    """What is to be said of them, with the workers that the leader has."""
    if not status.workers:
        return []  # which is told, and enough
    by_queue: dict[str, _Served] = {}
    for worker in status.workers:
        by_queue.setdefault(worker.task_queue, _Served()).add(worker)
    workflows, activities, later = Missing(), Missing(), Missing()
    for each in open_ones:
        _sort(each, by_queue, workflows, activities, later)
    found = [
        *_missing(workflows, by_queue, "workflow"),
        *_missing(activities, by_queue, "activity"),
        *_later(later, workflows),
    ]
    # A queue that nobody serves at all is another check's.
    return found or [ok("workflows.served", "Where workers are, they have all that is asked for")]


def _sort(
    each: WorkflowDescription,
    by_queue: dict[str, _Served],
    workflows: Missing,
    activities: Missing,
    later: Missing,
) -> None:
    """Note what the workflow lacks: now, or when it will go on."""
    info, task = each.info, each.workflow_task
    if task is None:
        served = by_queue.get(info.task_queue)
        if served is None or info.workflow_type not in served.workflows:
            later.setdefault((info.task_queue, info.workflow_type), []).append(info.workflow_id)
    elif task.queue_has_workers and not task.has_worker:
        workflows.setdefault((info.task_queue, info.workflow_type), []).append(info.workflow_id)
    for activity in each.activities:
        if activity.state != "STARTED" and activity.queue_has_workers and not activity.has_worker:
            ids = activities.setdefault((activity.task_queue, activity.name), [])
            if info.workflow_id not in ids[-1:]:
                ids.append(info.workflow_id)


def _missing(missing: Missing, by_queue: dict[str, _Served], what: str) -> Iterator[Finding]:
    for (queue, name), ids in sorted(missing.items()):
        served = by_queue.get(queue, _Served())
        names = served.workflows if what == "workflow" else served.activities
        yield fail(
            "workflows.served",
            f"None of the workers on queue {queue} has {what} {name}, for which {_some(ids)} "
            f"{'waits' if len(ids) == 1 else 'wait'}.{did_you_mean(name, sorted(names))}",
            f"Add it to what they run, or start another: {_command(queue)}",
        )


def _later(later: Missing, now: Missing) -> Iterator[Finding]:
    for (queue, name), ids in sorted(later.items()):
        if (queue, name) not in now:
            yield warn(
                "workflows.served",
                f"No worker on queue {queue} has workflow {name}, which {_some(ids)} will need "
                "to go on.",
                start_worker(queue),
            )


def _command(queue: str) -> str:
    return start_worker(queue).removeprefix("Start one: ")


def _some(ids: Sequence[str]) -> str:
    more = len(ids) - _SHOWN
    return ", ".join(ids[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

"""Who works: builds, SDK versions, and queues that nobody serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.doctor.findings import Finding, fail, ok, warn
from sched_cli.render.waits import start_worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sched_sdk._client import ClusterStatus, TaskQueueStatus

__all__ = ["judge"]

# So many tasks that wait, for each worker, are a backlog.
_BACKLOG = 1_000
_SHOWN = 3


def judge(status: ClusterStatus) -> list[Finding]:
    """What is to be said of the leader's workers and queues."""
    return [_sdk(status), *_builds(status), *_queues(status)]


def _sdk(status: ClusterStatus) -> Finding:
    others: dict[str, list[str]] = {}
    for worker in status.workers:
        version = worker.sdk.rpartition("/")[2]
        if version != status.version:
            others.setdefault(worker.sdk, []).append(worker.identity)
    if not status.workers:
        return warn("workers.sdk", "No worker is connected.", "Start one: sched worker app.py")
    if not others:
        count = len(status.workers)
        are = "The worker has" if count == 1 else f"All {count} workers have"
        return ok("workers.sdk", f"{are} the engine's version, {status.version}")
    told = "; ".join(f"{sdk}: {_some(identities)}" for sdk, identities in others.items())
    return warn(
        "workers.sdk",
        f"Workers have another version than the engine ({status.version}): {told}.",
        "Install the engine's version where these workers run.",
    )


def _builds(status: ClusterStatus) -> Iterator[Finding]:
    builds: dict[str, dict[str, list[str]]] = {}
    for worker in status.workers:
        if not worker.draining:
            of_queue = builds.setdefault(worker.task_queue, {})
            of_queue.setdefault(worker.build_id, []).append(worker.identity)
    for queue, by_build in sorted(builds.items()):
        if len(by_build) == 1:
            yield ok(
                "workers.builds", f"Queue {queue}: all workers run build {next(iter(by_build))}"
            )
            continue
        told = "; ".join(f"{build}: {_some(who)}" for build, who in sorted(by_build.items()))
        yield warn(
            "workers.builds",
            f"Queue {queue} has workers of {len(by_build)} builds: {told}.",
            "Fine while a deployment goes on. If none does, end the workers with the old code.",
        )


def _queues(status: ClusterStatus) -> Iterator[Finding]:
    for queue in status.task_queues:
        waiting = queue.pending_workflow_tasks + queue.pending_activity_tasks
        taking = sum(not w.draining for w in status.workers if w.task_queue == queue.name)
        if waiting and queue.workers and not taking:
            yield fail(
                "workers.queues",
                f"The workers of queue {queue.name} take no more tasks, and {_tasks(queue)}.",
                start_worker(queue.name),
            )
        elif waiting and not queue.workers:
            yield fail(
                "workers.queues",
                f"Queue {queue.name} has no worker, and {_tasks(queue)}.",
                start_worker(queue.name),
            )
        elif waiting > _BACKLOG * queue.workers:
            yield warn(
                "workers.queues",
                f"Queue {queue.name}: {_tasks(queue)} for {queue.workers} "
                f"{'worker' if queue.workers == 1 else 'workers'}.",
                "If that does not shrink, start more workers, or give them more slots.",
            )
        else:
            yield ok(
                "workers.queues",
                f"Queue {queue.name}: {_tasks(queue) if waiting else 'nothing waits'}",
            )


def _tasks(queue: TaskQueueStatus) -> str:
    counts = (
        (queue.pending_workflow_tasks, "workflow task", "workflow tasks"),
        (queue.pending_activity_tasks, "activity", "activities"),
    )
    told = [f"{count} {one if count == 1 else many}" for count, one, many in counts if count]
    return " and ".join(told) + (
        " waits" if told[0].startswith("1 ") and len(told) == 1 else " wait"
    )


def _some(identities: list[str]) -> str:
    more = len(identities) - _SHOWN
    return ", ".join(sorted(identities)[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

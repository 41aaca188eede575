"""What a workflow waits for, and why it does not go on, in a sentence each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli.render.times import duration, local, until

if TYPE_CHECKING:
    from datetime import datetime

    from sched_sdk._client.models import (
        PendingActivity,
        PendingTimer,
        PendingWorkflowTask,
        WorkflowDescription,
        WorkflowInfo,
    )
    from sched_sdk.errors import FailureError

_SHOWN_ACTIVITIES = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that a workflow waits for."""

    text: str
    stuck: bool = False
    """It will not go on by itself, or something failed on the way."""
    topic: str = ""
    """Stays the same while only times in the text change."""


def reasons(description: WorkflowDescription, now: datetime) -> list[Reason]:
    """Why a running workflow is where it is; empty for one that has ended."""
    if description.status.closed:
        return []
    found: list[Reason] = []
    if description.cancel_requested:
        found.append(Reason("It was asked to cancel, and cleans up."))
    if description.workflow_task is not None:
        found.append(_workflow_task(description.workflow_task, description.info, now))
    activities = description.activities
    # What is stuck is the news.
    activity_reasons = sorted(
        (_activity(one, now) for one in activities), key=lambda r: not r.stuck
    )
    found += activity_reasons[:_SHOWN_ACTIVITIES]
    if len(activities) > _SHOWN_ACTIVITIES:
        found.append(Reason(f"And {len(activities) - _SHOWN_ACTIVITIES} more activities."))
    if description.timers:
        found.append(_timer(min(description.timers, key=lambda timer: timer.due_time), now))
    if description.workflow_task is None and not activities and not description.timers:
        found.append(Reason("It waits for a signal; nothing else is pending."))
    return found


def _workflow_task(task: PendingWorkflowTask, info: WorkflowInfo, now: datetime) -> Reason:
    if task.last_failure is not None or task.last_failure_cause:
        cause = task.last_failure_cause.replace("_", "-").lower() or "an error"
        failure = f": {_in_one_line(task.last_failure)}" if task.last_failure is not None else ""
        return Reason(
            f"The last workflow task failed with {cause}{failure} "
            f"(attempt {task.attempt}{_next_try(task.due_time, now)}).",
            stuck=True,
            topic=f"workflow task, {cause}",
        )
    if task.state == "BACKOFF" and task.due_time is not None:
        return Reason(f"It starts {until(task.due_time, now)}.")
    if task.state == "STARTED":
        return Reason(f"Its code runs on worker {task.identity}.")
    if not task.has_worker:
        return Reason(
            f"No worker serves workflow type {info.workflow_type} on task queue "
            f"{info.task_queue}. {_start_worker(info.task_queue)}",
            stuck=True,
            topic="workflow task, no worker",
        )
    return Reason("Its code waits for a worker that is free.")


def _activity(activity: PendingActivity, now: datetime) -> Reason:
    name = f"activity {activity.name}" + (f" ({activity.summary})" if activity.summary else "")
    place = f", asked for at {activity.call_site}" if activity.call_site else ""
    attempt = f"attempt {activity.attempt}"
    if activity.maximum_attempts:
        attempt += f" of {activity.maximum_attempts}"
    failure = f": {_in_one_line(activity.last_failure)}" if activity.last_failure else ""
    if activity.state == "BACKOFF":
        return Reason(
            f"It waits for {name}, {attempt}{_next_try(activity.due_time, now)}{failure}{place}.",
            stuck=True,
            topic=f"activity {activity.seq}, attempt {activity.attempt}",
        )
    if activity.state == "STARTED":
        since = f" for {duration(now - activity.started_time)}" if activity.started_time else ""
        retried = f", {attempt}{failure}" if activity.attempt > 1 else ""
        return Reason(
            f"It waits for {name}, which runs{since} on worker {activity.identity}{retried}{place}."
        )
    if not activity.has_worker:
        return Reason(
            f"It waits for {name}, but no worker serves that on task queue "
            f"{activity.task_queue}. {_start_worker(activity.task_queue)}",
            stuck=True,
            topic=f"activity {activity.seq}, no worker",
        )
    return Reason(f"It waits for {name}, which waits for a worker that is free{place}.")


def _timer(timer: PendingTimer, now: datetime) -> Reason:
    place = f", asked for at {timer.call_site}" if timer.call_site else ""
    return Reason(f"It sleeps until {local(timer.due_time)} ({until(timer.due_time, now)}){place}.")


def _next_try(due: datetime | None, now: datetime) -> str:
    return "" if due is None else f", next try {until(due, now)}"


def _start_worker(task_queue: str) -> str:
    option = "" if task_queue == "default" else f" --task-queue {task_queue}"
    return f"Start one: sched worker app.py{option}"


def _in_one_line(failure: FailureError | None) -> str:
    return " ".join(str(failure).split())

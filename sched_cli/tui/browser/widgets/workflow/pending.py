"""What is pending, in lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from sched_cli.render.plain import compact
from sched_cli.render.times import ago, duration, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sched_sdk._client.models import (
        PendingActivity,
        PendingWorkflowTask,
        WorkflowDescription,
    )

_LABEL = 14
_HEARTBEAT_LIMIT = 200


def pending_lines(description: WorkflowDescription, now: datetime) -> Iterator[Text]:
    """Everything the engine still has to do for the run, one thing after the other."""
    parts = [
        *([_workflow_task(description.workflow_task, now)] if description.workflow_task else []),
        *(_activity(activity, now) for activity in description.activities),
        *(
            [
                Text.assemble(
                    (f"Timer {timer.seq}", "bold"), f"  due {until(timer.due_time, now)}"
                ),
                *_fields(("asked for at", timer.call_site)),
            ]
            for timer in sorted(description.timers, key=lambda each: each.due_time)
        ),
    ]
    if description.execution_deadline is not None and not description.status.closed:
        parts.append([Text(f"Times out {until(description.execution_deadline, now)}")])
    if not parts:
        ended = "It has ended; nothing" if description.status.closed else "Nothing"
        parts.append([Text(f"{ended} is pending.", "dim")])
    for number, part in enumerate(parts):
        if number:
            yield Text()
        yield from part


def _workflow_task(task: PendingWorkflowTask, now: datetime) -> list[Text]:
    state = {
        "STARTED": f"its code runs on {task.identity}",
        "BACKOFF": f"next try {until(task.due_time, now)}" if task.due_time else "waits",
    }.get(task.state.value, "waits for a worker")
    return [
        Text.assemble(("Workflow task", "bold"), f"  {state}"),
        *_fields(
            ("attempt", str(task.attempt) if task.attempt > 1 else ""),
            ("cause", task.last_failure_cause.replace("_", " ").lower()),
        ),
        *_failure(task.last_failure),
    ]


def _activity(activity: PendingActivity, now: datetime) -> list[Text]:
    limit = f" of {activity.maximum_attempts}" if activity.maximum_attempts else ""
    heartbeat = ""
    if activity.last_heartbeat_time is not None:
        heartbeat = ago(activity.last_heartbeat_time, now)
        if activity.heartbeat_details is not None:
            heartbeat += f": {compact(activity.heartbeat_details, _HEARTBEAT_LIMIT)}"
    style = "yellow" if activity.state == "BACKOFF" else "cyan"
    return [
        Text.assemble(
            (f"Activity {activity.seq} ", "bold"),
            (activity.name, "bold"),
            (f"  {_activity_state(activity, now)}", style),
        ),
        *_fields(
            ("what for", activity.summary),
            ("attempt", f"{activity.attempt}{limit}"),
            ("queue", activity.task_queue),
            ("heartbeat", heartbeat),
            ("asked for at", activity.call_site),
            ("", "was asked to cancel" if activity.cancel_requested else ""),
        ),
        *_failure(activity.last_failure),
    ]


def _activity_state(activity: PendingActivity, now: datetime) -> str:
    if activity.state == "BACKOFF":
        return f"next try {until(activity.due_time, now)}" if activity.due_time else "waits"
    if activity.state == "STARTED":
        since = duration(now - activity.started_time) if activity.started_time else ""
        return f"runs for {since} on {activity.identity}"
    if activity.has_worker:
        return "waits for a worker that is free"
    return f"no worker serves it on queue {activity.task_queue}"


def _fields(*fields: tuple[str, str]) -> list[Text]:
    return [
        Text.assemble((f"  {label:<{_LABEL}}", "dim"), value) for label, value in fields if value
    ]


def _failure(failure: BaseException | None) -> list[Text]:
    if failure is None:
        return []
    words = " ".join(str(failure).split())
    return [Text.assemble((f"  {'last failure':<{_LABEL}}", "dim"), (words, "red"))]

"""Why a workflow is where it is, in a sentence each.

Made from its description alone, and better with the answer to `__stack`, which
tells what each of its tasks awaits and since when. The most important reason
comes first: what went wrong, then what nobody serves, then what it waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_cli.render.reasons import KINDS, Reason, failure_fields, in_one_line, next_try
from sched_cli.render.times import ago, duration, until
from sched_cli.render.waits import activity_reason, awaited_reasons, start_worker, timer_reason

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sched_cli.looking import Sight
    from sched_sdk._client.models import PendingWorkflowTask, WorkflowDescription, WorkflowInfo

__all__ = ["Reason", "reasons", "shorten"]

_RANKS = {kind: rank for rank, kind in enumerate(KINDS)}


def reasons(
    description: WorkflowDescription, now: datetime, sight: Sight | None = None
) -> list[Reason]:
    """Why it is where it is, the most important reason first; for one that has
    ended, how it did."""
    if description.status.closed:
        return [_closed(description, now)]
    found: list[Reason] = []
    if description.workflow_task is not None:
        found.append(_workflow_task(description.workflow_task, description.info, now))
    if description.cancel_requested:
        found.append(Reason("cancel_requested", "It was asked to cancel, and cleans up."))
    found += _waits(description, now, sight)
    if not found:
        found.append(_nothing_pending(now, sight))
    if sight is not None and sight.no_worker and description.workflow_task is None:
        found.append(
            Reason(
                "worker_away",
                f"No worker serves workflow type {description.info.workflow_type} on task queue "
                f"{description.info.task_queue} now, which it will need to go on. "
                f"{start_worker(description.info.task_queue)}",
                {"task_queue": description.info.task_queue},
            )
        )
    # What is stuck is the news; the order of kinds does the rest.
    return sorted(found, key=lambda reason: (not reason.stuck, _RANKS[reason.kind]))


def shorten(found: Sequence[Reason], limit: int) -> list[str]:
    """The sentences of the first reasons, and how many more there are."""
    sentences = [reason.sentence for reason in found[:limit]]
    more = len(found) - limit
    if more > 0:
        sentences.append(f"And {more} more {'reason' if more == 1 else 'reasons'}.")
    return sentences


def _waits(description: WorkflowDescription, now: datetime, sight: Sight | None) -> list[Reason]:
    """What its code awaits, and what else is pending."""
    found: list[Reason] = []
    told: set[int] = set()
    stack = None if sight is None else sight.stack
    if stack is not None:
        found, told = awaited_reasons(stack, description, now)
    found += [
        activity_reason(activity, now)
        for activity in description.activities
        if activity.seq not in told
    ]
    # With the code's own word, a timer that nobody awaits only limits something.
    if description.timers and (stack is None or not found):
        found.append(timer_reason(min(description.timers, key=lambda t: t.due_time), now))
    return found


def _nothing_pending(now: datetime, sight: Sight | None) -> Reason:
    since = None if sight is None else sight.idle_since
    passed = "" if since is None else f", since {duration(now - since)}"
    return Reason(
        "unknown",
        f"It waits for a signal{passed}; nothing else is pending.",
        {"since": since},
    )


def _workflow_task(task: PendingWorkflowTask, info: WorkflowInfo, now: datetime) -> Reason:
    if task.last_failure is not None or task.last_failure_cause:
        return _failing(task, info.workflow_id, now)
    if task.state == "BACKOFF" and task.due_time is not None:
        return Reason(
            "delayed_start", f"It starts {until(task.due_time, now)}.", {"due": task.due_time}
        )
    if task.state == "STARTED":
        return Reason(
            "code_runs", f"Its code runs on worker {task.identity}.", {"worker": task.identity}
        )
    if task.has_worker:
        return Reason("waits_for_slot", "Its code waits for a worker that is free.")
    fields = {"task_queue": info.task_queue, "workflow_type": info.workflow_type}
    if task.queue_has_workers:
        return Reason(
            "workflow_not_served",
            f"Workers take tasks of queue {info.task_queue}, but none of them has workflow "
            f"{info.workflow_type}. {start_worker(info.task_queue)}",
            fields,
            stuck=True,
            topic="workflow task, not served",
        )
    return Reason(
        "no_worker",
        f"No worker serves workflow type {info.workflow_type} on task queue "
        f"{info.task_queue}. {start_worker(info.task_queue)}",
        fields,
        stuck=True,
        topic="workflow task, no worker",
    )


def _failing(task: PendingWorkflowTask, workflow_id: str, now: datetime) -> Reason:
    cause = task.last_failure_cause.replace("_", "-").lower() or "an error"
    failure = ""
    if task.last_failure is not None:
        words = in_one_line(task.last_failure).removeprefix("NonDeterminismError: ")
        words = words.replace("sched replay shows", f"sched replay {workflow_id} shows")
        failure = f": {words.rstrip('.')}"
    return Reason(
        "workflow_task_failed",
        f"The last workflow task failed with {cause} "
        f"(attempt {task.attempt}{next_try(task.due_time, now)}){failure}.",
        {
            "cause": task.last_failure_cause,
            "attempt": task.attempt,
            "next_try": task.due_time,
            "failure": failure_fields(task.last_failure),
        },
        stuck=True,
        topic=f"workflow task, {cause}",
    )


_ENDINGS = {
    "COMPLETED": "It completed",
    "FAILED": "It failed",
    "CANCELED": "It was canceled",
    "TERMINATED": "It was terminated",
    "TIMED_OUT": "It timed out",
    "CONTINUED_AS_NEW": "It continued as a new run",
}


def _closed(description: WorkflowDescription, now: datetime) -> Reason:
    info = description.info
    when = "" if info.close_time is None else f" {ago(info.close_time, now)}"
    why = f": {in_one_line(description.failure)}" if description.failure is not None else ""
    on = f" Run {description.new_run_id} goes on instead." if description.new_run_id else ""
    return Reason(
        "closed",
        f"{_ENDINGS.get(info.status.value, 'It ended')}{when}{why.rstrip('.')}.{on}",
        {
            "status": info.status.value,
            "close_time": info.close_time,
            "failure": failure_fields(description.failure),
            "new_run_id": description.new_run_id,
        },
    )

"""What the code of a workflow waits for, as reasons.

`awaited_reasons` reads the answer to `__stack`; the others make do with what
the engine knows.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sched_cli.render.reasons import Reason, failure_fields, in_one_line, next_try
from sched_cli.render.times import duration, local, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sched_sdk._client.models import PendingActivity, PendingTimer, WorkflowDescription

__all__ = [
    "activity_reason",
    "awaited_reasons",
    "leaves",
    "place_of",
    "start_worker",
    "timer_reason",
    "wait_words",
]

Stack = list[dict[str, Any]]
_MAIN = "workflow"
_PARTS = ("all", "any", "shield")


def awaited_reasons(
    stack: Stack, description: WorkflowDescription, now: datetime
) -> tuple[list[Reason], set[int]]:
    """What each task awaits, and the numbers of the activities among that."""
    activities = {activity.seq: activity for activity in description.activities}
    timers = {timer.seq: timer for timer in description.timers}
    found: list[Reason] = []
    told: set[int] = set()
    for entry in stack:
        for wait in leaves(entry["waits_on"]):
            seq = wait.get("seq")
            if wait["kind"] == "activity":
                if seq in activities and seq not in told:
                    told.add(seq)
                    found.append(activity_reason(activities[seq], now))
            elif wait["kind"] == "timer" and seq in timers:
                found.append(timer_reason(timers[seq], now))
            else:
                found.append(_awaited(entry, wait, now))
    return found, told


def leaves(waits_on: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """What is waited for in the end, without what only puts it together. Another
    task is listed by itself."""
    if waits_on is None or waits_on["kind"] == "task":
        return
    if waits_on["kind"] in _PARTS:
        for part in waits_on["of"]:
            yield from leaves(part)
    else:
        yield waits_on


def place_of(entry: Mapping[str, Any]) -> str:
    """`file:line` of the innermost frame of a task; may be empty."""
    frames: Sequence[Mapping[str, Any]] = entry["frames"]
    return f"{frames[-1]['file']}:{frames[-1]['line']}" if frames else ""


def wait_words(wait: Mapping[str, Any], now: datetime) -> str:
    """What is waited for, in a few words: "signal approve, since 2 h"."""
    kind = wait["kind"]
    if kind == "task":
        return f"task {wait['task']}"
    if kind in _PARTS:
        words = [wait_words(part, now) for part in wait["of"]]
        words += [f"{wait['more']} more"] * bool(wait["more"])
        joined = f" {'or' if kind == 'any' else 'and'} ".join(words)
        return joined or "nothing"
    if kind in ("activity", "step"):
        return f"{kind} {wait['name']}"
    if kind == "timer":
        return f"a timer, due {until(_time(wait['due']), now)}"
    if kind in ("signal", "condition"):
        return _since_and_until(_signal_or_condition(wait), wait, now)
    return "a future" if kind == "future" else f"an asyncio {kind}"


def _signal_or_condition(wait: Mapping[str, Any]) -> str:
    if wait["kind"] == "signal":
        return "a signal of any name" if wait["name"] is None else f"signal {wait['name']}"
    at = f" ({wait['predicate']})" if wait["predicate"] else ""
    return f"a condition{at} that is not true yet"


def _since_and_until(words: str, wait: Mapping[str, Any], now: datetime) -> str:
    words += f", since {duration(now - _time(wait['since']))}"
    if wait["until"]:
        words += f", until {local(_time(wait['until']))} at the latest"
    return words


def _awaited(entry: Mapping[str, Any], wait: Mapping[str, Any], now: datetime) -> Reason:
    kind = wait["kind"]
    place, task = place_of(entry), entry["task"]
    who = "It" if task == _MAIN else f"Its task {task}"
    at = f", at {place}" if place else ""
    fields = {key: value for key, value in wait.items() if key != "kind"}
    fields |= {"task": task, "call_site": place}
    if kind == "step":
        tried = f", attempt {wait['attempt']}" if wait["attempt"] > 1 else ""
        return Reason("step", f"{who} runs step {wait['name']}{tried}{at}.", fields)
    words = f"{who} waits for {wait_words(wait, now)}{at}."
    if kind in ("signal", "timer", "condition"):
        return Reason(kind, words, fields)
    if kind == "activity":  # not known to the engine yet, or no more
        return Reason("activity_waits", words, fields)
    return Reason("asyncio", words, fields | {"object": kind})


def activity_reason(activity: PendingActivity, now: datetime) -> Reason:
    """A pending activity: failed, running, or waiting for a worker."""
    name = f"activity {activity.name}" + (f" ({activity.summary})" if activity.summary else "")
    name += f" at {activity.call_site}" if activity.call_site else ""
    attempt = f"attempt {activity.attempt}"
    if activity.maximum_attempts:
        attempt += f" of {activity.maximum_attempts}"
    failure = f": {in_one_line(activity.last_failure)}" if activity.last_failure else ""
    fields = _activity_fields(activity)
    if activity.state == "BACKOFF":
        return Reason(
            "activity_failed",
            f"It waits for {name}, {attempt}{next_try(activity.due_time, now)}{failure}.",
            fields,
            stuck=True,
            topic=f"activity {activity.seq}, attempt {activity.attempt}",
        )
    if activity.state == "STARTED":
        since = f" for {duration(now - activity.started_time)}" if activity.started_time else ""
        retried = f", {attempt}{failure}" if activity.attempt > 1 else ""
        return Reason(
            "activity_running",
            f"It waits for {name}, which runs{since} on worker {activity.identity}{retried}.",
            fields,
        )
    if activity.has_worker:
        return Reason(
            "activity_waits",
            f"It waits for {name}, which waits for a worker that is free.",
            fields,
        )
    queue = activity.task_queue
    if activity.queue_has_workers:
        kind, problem = "activity_not_served", f"but none of the workers on task queue {queue} has"
        sentence = f"It waits for {name}, {problem} that. {start_worker(queue)}"
    else:
        kind = "activity_no_worker"
        sentence = (
            f"It waits for {name}, but no worker serves that on task queue {queue}. "
            f"{start_worker(queue)}"
        )
    return Reason(kind, sentence, fields, stuck=True, topic=f"activity {activity.seq}, {kind}")


def _activity_fields(activity: PendingActivity) -> dict[str, Any]:
    return {
        "seq": activity.seq,
        "name": activity.name,
        "task_queue": activity.task_queue,
        "attempt": activity.attempt,
        "maximum_attempts": activity.maximum_attempts,
        "next_try": activity.due_time if activity.state == "BACKOFF" else None,
        "worker": activity.identity,
        "failure": failure_fields(activity.last_failure),
        "call_site": activity.call_site,
    }


def timer_reason(timer: PendingTimer, now: datetime) -> Reason:
    """A timer that has not fired."""
    place = f", at {timer.call_site}" if timer.call_site else ""
    return Reason(
        "timer",
        f"It sleeps until {local(timer.due_time)} ({until(timer.due_time, now)}){place}.",
        {"seq": timer.seq, "due": timer.due_time, "call_site": timer.call_site},
    )


def start_worker(task_queue: str) -> str:
    """What to type when a worker is missing."""
    option = "" if task_queue == "default" else f" --task-queue {task_queue}"
    return f"Start one: sched worker app.py{option}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)

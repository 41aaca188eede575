"""How each workflow must end, whatever is killed: as it ends without faults."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sched_server.core import events as e

if TYPE_CHECKING:
    from tests.sim.plan import Job
    from tests.sim.truth import Run


def problem(
    job: Job, run: Run, status: str, value: Any, *, known: dict[str, Any] | None = None
) -> str:
    """What is wrong with an outcome; empty if nothing is."""
    if status == "TERMINATED":
        other = job.again == "terminate_existing" or any(
            act.kind == "terminate" for act in job.acts
        )
        return "" if other else "it was terminated, and nobody asked for it"
    if status == "TIMED_OUT" and job.execution_timeout_s:
        return ""
    expected_status, expected = (known or EXPECTED)[job.workflow](job, run)
    if isinstance(expected_status, tuple):
        if status not in expected_status:
            return f"ended {status}, not {expected_status}"
        return (
            "" if status != "COMPLETED" or value == expected else f"{value!r} is not {expected!r}"
        )
    if status != expected_status:
        return f"ended {status} ({value!r}), not {expected_status}"
    if callable(expected):
        return "" if expected(value) else f"unexpected result {value!r}"
    return "" if value == expected else f"{value!r} is not {expected!r}"


def _sum(factor: int, n: int) -> int:
    return sum(factor * i for i in range(n))


def _signals(run: Run) -> list[Any]:
    return [
        json.loads(event.attributes.input[0].data)
        for event in run.events
        if isinstance(event.attributes, e.SignalReceived)
    ]


EXPECTED: dict[str, Any] = {
    "sequential": lambda job, run: ("COMPLETED", _sum(2, job.n)),
    "steps": lambda job, run: ("COMPLETED", _sum(3, job.n)),
    "gathered_steps": lambda job, run: ("COMPLETED", 2 * _sum(3, job.n)),
    "fan_out": lambda job, run: ("COMPLETED", [2 * i for i in range(job.n)]),
    "same_instant": lambda job, run: ("COMPLETED", [i for i in range(job.n) if i % 3]),
    "collects": lambda job, run: ("COMPLETED", _signals(run)),
    # A signal behind the event with which the function returned is handled, but
    # not in the result any more.
    "closes_while_signaled": lambda job, run: (
        "COMPLETED",
        lambda value: value == _signals(run)[: len(value)],
    ),
    "mixed": lambda job, run: (
        "COMPLETED",
        {"branch": 2 * job.n, "step": 3 * job.n, "late": 1, "flaky": job.n + 1},
    ),
    "group_fails": lambda job, run: ("COMPLETED", f"cleaned {list(range(job.n))}"),
    "failing": lambda job, run: ("FAILED", lambda value: "gave up" in value),
    "time_limits": lambda job, run: ("COMPLETED", ["ActivityError"] * 4),
    "at_most_once": lambda job, run: (
        "COMPLETED",
        lambda value: value in (f"value {job.n}", "lost"),
    ),
    "canceled": lambda job, run: ("CANCELED", lambda value: True),
    "canceled_anywhere": lambda job, run: (
        ("COMPLETED", "CANCELED"),
        _sum(2, job.n) + _sum(3, job.n) + sum(i + 1 for i in range(job.n) if i % 2),
    ),
    "ignores_cancel": lambda job, run: ("COMPLETED", "went on"),
    "waits_for_ever": lambda job, run: ("TIMED_OUT", lambda value: True),
    "completed_elsewhere": lambda job, run: ("COMPLETED", 42),
    "dispatches": lambda job, run: ("COMPLETED", lambda value: len(value) == job.n),
    "failing_steps": lambda job, run: ("COMPLETED", 6 * job.n),
    "late_results": lambda job, run: ("COMPLETED", [2 * i for i in range(job.n)]),
    "versioned": lambda job, run: ("COMPLETED", _sum(2, job.n)),
    "retried_late": lambda job, run: ("COMPLETED", [2 * i for i in range(job.n)]),
    "worn_out": lambda job, run: ("COMPLETED", job.n),
    "tells": lambda job, run: (
        "COMPLETED",
        [fact for i in range(job.n) for fact in (f"a{i}", f"s{2 * i}", f"s{2 * i + 1}")],
    ),
    "queued_and_left": lambda job, run: ("COMPLETED", "left"),
}

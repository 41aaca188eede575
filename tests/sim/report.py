"""What a failure looks like to whoever has to mend it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.sim.run import Outcome

_LAST_STEPS = 60


def failure_report(outcome: Outcome, *, steps: int = _LAST_STEPS) -> str:
    """The seed, what was found, the faults, and the last steps: who said what to
    whom. Behind them those that are about the workflow that is named."""
    checker, message = outcome.failures[0]
    plan = outcome.plan
    lines = [
        f"seed {plan.seed}: {checker}: {message}",
        *(f"    also {other}: {more}" for other, more in outcome.failures[1:4]),
        f"repeat it with: python -m tests.sim --seed {plan.seed}",
        f"{plan.engines} engines, {plan.workers} workers, {plan.clients} clients, "
        f"{len(plan.jobs)} workflows; faults: "
        + (", ".join(f"{fault.kind} {fault.target}".strip() for fault in plan.faults) or "none"),
        f"the last {steps} steps:",
        *outcome.trace[-steps:],
    ]
    named = re.search(r"\b(w\d+)\b.*?(?:run ([0-9a-f]{4}))?", message)
    if named is not None:
        marks = [mark for mark in named.groups() if mark]
        run = re.search(r"run ([0-9a-f]{4})", message)
        if run is not None:
            marks.append(run.group(1))
        about = [
            line
            for line in outcome.trace
            if any(re.search(rf"\b{mark}\b", line) for mark in marks) or " FAULT " in line
        ]
        lines += [f"steps about {' and '.join(marks)}, and faults:", *about[-steps:]]
    return "\n".join(lines)

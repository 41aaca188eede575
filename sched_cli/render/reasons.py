"""One reason why a workflow is where it is: a kind, a sentence, and fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sched_cli.render.times import until

if TYPE_CHECKING:
    from datetime import datetime

    from sched_sdk.errors import FailureError

__all__ = ["KINDS", "Reason", "as_json", "failure_fields", "in_one_line", "next_try"]

KINDS = (
    "closed",
    "no_leader",
    "workflow_task_failed",
    "workflow_not_served",
    "no_worker",
    "cancel_requested",
    "activity_failed",
    "activity_not_served",
    "activity_no_worker",
    "delayed_start",
    "code_runs",
    "waits_for_slot",
    "activity_running",
    "activity_waits",
    "step",
    "signal",
    "timer",
    "condition",
    "asyncio",
    "unknown",
    "worker_away",
)
"""All kinds, the most important first. Part of the JSON that commands print."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a workflow is where it is."""

    kind: str
    """One of KINDS."""
    sentence: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What the sentence is made of, for programs."""
    stuck: bool = False
    """It will not go on by itself, or something failed on the way."""
    topic: str = ""
    """Stays the same while only times in the sentence change."""


def as_json(reason: Reason) -> dict[str, Any]:
    """What `--output json` prints of it."""
    return {
        "kind": reason.kind,
        "sentence": reason.sentence,
        "stuck": reason.stuck,
        "fields": reason.fields,
    }


def failure_fields(failure: FailureError | None) -> dict[str, str] | None:
    """A failure without its traceback and causes, which `show` has."""
    if failure is None:
        return None
    kind = getattr(failure, "type", "") or type(failure).__name__
    return {"type": kind, "message": getattr(failure, "message", str(failure))}


def in_one_line(failure: FailureError | None) -> str:
    return " ".join(str(failure).split())


def next_try(due: datetime | None, now: datetime) -> str:
    return "" if due is None else f", next try {until(due, now)}"

"""A replay as JSON; docs/cli.md describes it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_cli.replaying import Report

UNREADABLE = "unreadable"


def as_json(report: Report) -> dict[str, Any]:
    """One object for each history, replayed or not."""
    data: dict[str, Any] = {
        "source": report.source,
        "workflow_id": report.workflow_id,
        "workflow_type": report.workflow_type,
        "outcome": UNREADABLE,
        "problem": report.problem,
    }
    if report.replay is not None:
        fields = dataclasses.fields(report.replay)
        data.update({field.name: getattr(report.replay, field.name) for field in fields})
    return data

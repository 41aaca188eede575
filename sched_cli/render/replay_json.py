"""A replay as JSON; docs/cli-output.md describes it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_cli.replay_reports import Reports
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


def summary_as_json(reports: Reports, build_id: str, seconds: float) -> dict[str, Any]:
    """One object for all histories together."""
    return {
        "build_id": build_id,
        "exit_code": reports.exit_code,
        "seconds": round(seconds, 3),
        **dataclasses.asdict(reports.total),
        "types": [
            {"workflow_type": name, **dataclasses.asdict(tally)}
            for name, tally in sorted(reports.types.items())
        ],
        "undefined": [
            {"workflow_type": name, "count": count}
            for name, count in sorted(reports.skipped.items())
        ],
        "breaks": [
            {
                "count": group.count,
                "workflow_ids": [group.replay.workflow_id, *group.others],
                "report": as_json(group.first),
            }
            for group in reports.groups
        ],
        "problems": reports.problems,
    }

"""Two runs as JSON; docs/cli-output.md describes it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_cli.diffing.comparison import Comparison, Row
    from sched_cli.diffing.timeline import Entry, Timeline


def as_json(comparison: Comparison) -> dict[str, Any]:
    """One object."""
    parts: dict[str, Any] | None = None
    if comparison.parts_at is not None:
        row = comparison.commands[comparison.parts_at]
        parts = {"row": comparison.parts_at, "left": _point(row.left), "right": _point(row.right)}
    return {
        "equal": comparison.equal,
        "left": _run(comparison.left),
        "right": _run(comparison.right),
        "differences": comparison.differences,
        "parts_at": parts,
        "commands": [_row(row) for row in comparison.commands],
        "signals": [_row(row) for row in comparison.signals],
    }


def _run(run: Timeline) -> dict[str, Any]:
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "workflow_type": run.workflow_type,
        "status": run.status,
        "start_time": datetime.fromtimestamp(run.start_time_us / 1_000_000, UTC),
        "duration": run.duration,
        "events": run.events,
    }


def _point(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    return {"event_id": entry.event_id, "what": entry.title, "call_site": entry.call_site}


def _row(row: Row) -> dict[str, Any]:
    known = row.left or row.right
    assert known is not None
    return {
        "kind": known.kind,
        "name": known.name,
        "equal": row.equal,
        "left": _entry(row.left),
        "right": _entry(row.right),
        "differences": row.differences,
    }


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    fields = dataclasses.asdict(entry)
    return {name: fields[name] for name in fields if name not in ("kind", "name", "values")}

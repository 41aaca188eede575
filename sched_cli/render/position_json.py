"""One position of a replay as JSON; docs/cli-output.md describes it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_sdk._capture import CapturedHistory
    from sched_sdk._stepping import View


def position_as_json(view: View, captured: CapturedHistory) -> dict[str, Any]:
    """Positions are counted from 1 here, as they are on the screen."""
    from sched_sdk._capture.events import event_to_json

    data = {
        "workflow_id": captured.workflow_id,
        "workflow_type": captured.workflow_type,
        "position": view.index + 1,
        "positions": view.total,
        "phase": str(view.phase),
        "time": datetime.fromtimestamp(view.time_us / 1_000_000, UTC),
        "event": event_to_json(view.event) if view.event is not None else None,
    }
    told = ("index", "total", "phase", "time_us", "event")
    fields = (field.name for field in dataclasses.fields(view) if field.name not in told)
    return data | {name: getattr(view, name) for name in fields}

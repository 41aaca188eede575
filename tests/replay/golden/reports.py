"""What of a report must stay the same for ever: not its wording, nor how long it took."""

from __future__ import annotations

from typing import Any

from sched_cli.render.plain import jsonable
from sched_sdk._debug import Replay

_SIDES = ("what", "call_site", "arguments")


def lasting_report(replay: Replay) -> dict[str, Any]:
    """Which event, what either side does and where, the locals, and the way back."""
    divergence = replay.divergence
    assert divergence is not None, "code and history agree"
    raised = divergence.raised
    report: dict[str, Any] = jsonable(
        {
            "outcome": replay.outcome,
            "event_id": divergence.event_id,
            "recorded": {name: getattr(divergence.recorded, name) for name in _SIDES},
            "current": {name: getattr(divergence.current, name) for name in _SIDES},
            "raised": None if raised is None else {"type": raised.type, "message": raised.message},
            "agreed": [
                {"event_id": command.event_id, "what": command.what}
                for command in divergence.agreed
            ],
            "frames": [
                {
                    "function": frame.function,
                    "call_site": frame.call_site,
                    "variables": {one.name: one.value for one in frame.variables},
                }
                for frame in divergence.frames
            ],
            "waits": [
                {"task": wait.task, "function": wait.function, "call_site": wait.call_site}
                for wait in divergence.waits
            ],
            "reset_event_id": divergence.reset_event_id,
            "unstable": divergence.unstable,
        }
    )
    return report

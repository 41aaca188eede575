"""The fields of a log record that concerns a run: `logger.…(…, extra=about(run))`.

Ids and names only: no payload is ever logged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sched_server.core.state import ExecutionState


def about(state: ExecutionState) -> dict[str, object]:
    """Which workflow, and in which attempt its workflow task is."""
    return {
        "workflow_id": state.workflow_id,
        "run_id": state.run_id,
        "workflow_name": state.workflow_type,
        "attempt": state.task.attempt,
    }

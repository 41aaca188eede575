"""Rows as both stores select them, as the port's structs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_server.store.port import RunRow

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run_row"]


def run_row(row: Sequence[Any]) -> RunRow:
    """A run, in the order in which the statements of every store name its columns."""
    (
        run_key,
        run_id,
        workflow_id,
        shard,
        workflow_type,
        task_queue,
        status,
        start_request_id,
        started_us,
        closed_us,
        last_event_id,
        history_bytes,
        build_id,
    ) = row
    return RunRow(
        run_key=run_key,
        run_id=run_id,
        workflow_id=workflow_id,
        shard=shard,
        workflow_type=workflow_type,
        task_queue=task_queue,
        status=status,
        start_request_id=start_request_id,
        started_us=started_us,
        closed_us=closed_us,
        last_event_id=last_event_id,
        history_bytes=history_bytes,
        build_id=build_id,
    )

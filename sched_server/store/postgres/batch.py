"""From a batch of changes to the columns that its statement takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.numeric import Int4, Int8

from sched_server.store.open_runs import opens
from sched_server.store.postgres.arrays import (
    bool_array,
    bytea_array,
    int2_array,
    int4_array,
    int8_array,
    text_array,
)
from sched_server.store.postgres.batch_statement import RUNS, batch_statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_server.store.port import CommitGroup, RunChange, RunRow

__all__ = ["NO_RUN", "batch_query"]

NO_RUN = -1
"""The expected event id of a run that must not exist yet."""


def batch_query(
    shard_group: int, epoch: int, number: int, groups: Sequence[CommitGroup]
) -> tuple[str, list[Any]]:
    """The statement that writes these groups, and its parameters.

    `number` names the batch within its epoch. Raises struct.error and
    UnicodeEncodeError for values that no column takes.
    """
    changes = [change for group in groups for change in group.changes]
    newest = max((change.run_key for change in changes if change.created is not None), default=-1)
    values: dict[str, Any] = {
        "shard_group": Int4(shard_group),
        "epoch": Int8(epoch),
        "batch": Int8(number),
        "next_run_key": Int8(newest + 1),
        **_change_columns(changes),
    }
    parts: set[str] = set()
    for name, columns in (
        (RUNS, _run_columns(groups)),
        ("details", _details_columns(changes)),
        ("events", _event_columns(changes)),
        ("tasks", _task_columns(changes)),
        ("gone_tasks", _gone_columns(changes, "tasks_deleted", "gone_task")),
        ("timers", _timer_columns(changes)),
        ("gone_timers", _gone_columns(changes, "timers_deleted", "gone_timer")),
    ):
        if columns is not None:
            parts.add(name)
            values.update(columns)
    statement = batch_statement(frozenset(parts))
    return statement.text, [values[name] for name in statement.parameters]


def _change_columns(changes: list[RunChange]) -> dict[str, Any]:
    return {
        "run_keys": int8_array([change.run_key for change in changes]),
        "expected_event_ids": int4_array([expected_event_id(change) for change in changes]),
        "last_event_ids": int4_array([change.last_event_id for change in changes]),
        "history_bytes": int8_array([change.history_bytes for change in changes]),
        "build_ids": text_array([change.build_id for change in changes]),
        "shards": int2_array([change.shard for change in changes]),
    }


def expected_event_id(change: RunChange) -> int:
    return change.expected_last_event_id if change.created is None else NO_RUN


def _run_columns(groups: Sequence[CommitGroup]) -> dict[str, Any] | None:
    """What opens and what closes; with the number of the group, because a group
    may only take a workflow id that it or one before it frees."""
    closed: list[tuple[RunChange, int]] = []
    opened: list[tuple[str, int]] = []
    created: list[tuple[RunChange, RunRow]] = []
    for number, group in enumerate(groups):
        for change in group.changes:
            row = change.created
            if row is not None:
                created.append((change, row))
                if opens(change):
                    opened.append((row.workflow_id, number))
            elif change.closed_status:
                closed.append((change, number))
    if not closed and not created:
        return None
    return {
        "closed_keys": int8_array([change.run_key for change, _ in closed]),
        "closed_statuses": int2_array([change.closed_status for change, _ in closed]),
        "closed_times": int8_array([change.closed_us for change, _ in closed]),
        "closed_groups": int4_array([number for _, number in closed]),
        "opened_ids": text_array([workflow_id for workflow_id, _ in opened]),
        "opened_groups": int4_array([number for _, number in opened]),
        **_created_columns(created),
    }


def _created_columns(created: list[tuple[RunChange, RunRow]]) -> dict[str, Any]:
    return {
        "new_keys": int8_array([change.run_key for change, _ in created]),
        "new_run_ids": text_array([row.run_id for _, row in created]),
        "new_workflow_ids": text_array([row.workflow_id for _, row in created]),
        "new_shards": int2_array([change.shard for change, _ in created]),
        "new_types": text_array([row.workflow_type for _, row in created]),
        "new_queues": text_array([row.task_queue for _, row in created]),
        "new_statuses": int2_array([change.closed_status or row.status for change, row in created]),
        "new_request_ids": text_array([row.start_request_id for _, row in created]),
        "new_started_times": int8_array([row.started_us for _, row in created]),
        "new_closed_times": int8_array(
            [change.closed_us if change.closed_status else row.closed_us for change, row in created]
        ),
    }


def _details_columns(changes: list[RunChange]) -> dict[str, Any] | None:
    rows = [(change, change.details) for change in changes if change.details is not None]
    if not rows:
        return None
    return {
        "details_keys": int8_array([change.run_key for change, _ in rows]),
        "details_shards": int2_array([change.shard for change, _ in rows]),
        "details_texts": text_array([details for _, details in rows]),
    }


def _event_columns(changes: list[RunChange]) -> dict[str, Any] | None:
    rows = [(change, event) for change in changes for event in change.events]
    if not rows:
        return None
    return {
        "event_keys": int8_array([change.run_key for change, _ in rows]),
        "event_ids": int4_array([event.event_id for _, event in rows]),
        "event_shards": int2_array([change.shard for change, _ in rows]),
        "event_types": int2_array([event.type for _, event in rows]),
        "event_times": int8_array([event.time_us for _, event in rows]),
        "event_data": bytea_array([event.data for _, event in rows]),
    }


def _task_columns(changes: list[RunChange]) -> dict[str, Any] | None:
    rows = [
        (change, kind, seq, task)
        for change in changes
        for (kind, seq), task in change.tasks_put.items()
    ]
    if not rows:
        return None
    return {
        "task_keys": int8_array([change.run_key for change, _, _, _ in rows]),
        "task_kinds": int2_array([kind for _, kind, _, _ in rows]),
        "task_seqs": int4_array([seq for _, _, seq, _ in rows]),
        "task_shards": int2_array([change.shard for change, _, _, _ in rows]),
        "task_queues": text_array([task.task_queue for _, _, _, task in rows]),
        "task_names": text_array([task.name for _, _, _, task in rows]),
        "task_readies": bool_array([task.ready for _, _, _, task in rows]),
        "task_assignees": text_array([task.assignee for _, _, _, task in rows]),
        "task_times": int8_array([task.ready_since_us for _, _, _, task in rows]),
        "task_records": bytea_array([task.record for _, _, _, task in rows]),
    }


def _timer_columns(changes: list[RunChange]) -> dict[str, Any] | None:
    rows = [
        (change, kind, seq, due_us)
        for change in changes
        for (kind, seq), due_us in change.timers_put.items()
    ]
    if not rows:
        return None
    return {
        "timer_keys": int8_array([change.run_key for change, _, _, _ in rows]),
        "timer_kinds": int2_array([kind for _, kind, _, _ in rows]),
        "timer_seqs": int4_array([seq for _, _, seq, _ in rows]),
        "timer_shards": int2_array([change.shard for change, _, _, _ in rows]),
        "timer_times": int8_array([due_us for _, _, _, due_us in rows]),
    }


def _gone_columns(changes: list[RunChange], field: str, prefix: str) -> dict[str, Any] | None:
    rows = [
        (change.run_key, kind, seq) for change in changes for kind, seq in getattr(change, field)
    ]
    if not rows:
        return None
    return {
        f"{prefix}_keys": int8_array([run_key for run_key, _, _ in rows]),
        f"{prefix}_kinds": int2_array([kind for _, kind, _ in rows]),
        f"{prefix}_seqs": int4_array([seq for _, _, seq in rows]),
    }

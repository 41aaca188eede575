"""The reads: a connection and arguments in, the port's rows out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_server.store.port import EventMark, EventRow, RunRow, TaskKey, TaskRow, TimerRow
from sched_server.store.rows import run_row
from sched_server.store.sqlite import listing
from sched_server.store.sqlite import statements as sql

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from sched_server.store.port import RunFilter

_BEFORE_ALL = -(1 << 63)
"""The smallest integer of SQLite: a page "behind" it begins at the beginning."""


def cluster_id(connection: sqlite3.Connection) -> str:
    (found,) = connection.execute(sql.READ_CLUSTER_ID).fetchone()
    return str(found)


def run(connection: sqlite3.Connection, run_key: int) -> RunRow | None:
    return _one_run(connection, sql.READ_RUN, run_key)


def run_by_id(connection: sqlite3.Connection, run_id: str) -> RunRow | None:
    return _one_run(connection, sql.FIND_RUN_BY_ID, run_id)


def start(connection: sqlite3.Connection, workflow_id: str, request_id: str) -> RunRow | None:
    return _one_run(connection, sql.FIND_START, workflow_id, request_id)


def runs(
    connection: sqlite3.Connection, workflow_ids: Sequence[str], limit_per_id: int
) -> dict[str, list[RunRow]]:
    found: dict[str, list[RunRow]] = {}
    wanted = list(dict.fromkeys(workflow_ids))
    for row in sql.FIND_RUNS.fetch(connection, wanted, max(limit_per_id, 0)):
        run = run_row(row)
        found.setdefault(run.workflow_id, []).append(run)
    return found


def run_page(
    connection: sqlite3.Connection,
    run_filter: RunFilter,
    after: tuple[int, int] | None,
    limit: int,
) -> list[RunRow]:
    statement, parameters = listing.list_statement(run_filter, after, max(limit, 0))
    return [run_row(row) for row in connection.execute(statement, parameters).fetchall()]


def run_counts(connection: sqlite3.Connection, run_filter: RunFilter) -> dict[int, int]:
    statement, parameters = listing.count_statement(run_filter)
    return dict(connection.execute(statement, parameters).fetchall())


def history(
    connection: sqlite3.Connection, run_key: int, after_event_id: int, limit: int, max_bytes: int
) -> list[EventRow]:
    events: list[EventRow] = []
    size = 0
    cursor = connection.execute(sql.READ_HISTORY, (run_key, after_event_id, max(limit, 0)))
    for row in cursor:
        event = EventRow(*row)
        size += len(event.data)
        if size > max_bytes and events:
            break
        events.append(event)
    cursor.close()  # a read that stopped early would keep its snapshot open
    return events


def event_marks(
    connection: sqlite3.Connection, events: Sequence[tuple[int, int]]
) -> dict[int, EventMark]:
    wanted = [number for event in events for number in event]
    rows = sql.READ_EVENT_MARKS.fetch(connection, wanted)
    return {run_key: EventMark(kind, time_us) for run_key, kind, time_us in rows}


def details(connection: sqlite3.Connection, run_keys: Sequence[int]) -> dict[int, str]:
    return dict(sql.READ_DETAILS.fetch(connection, list(run_keys)))


def tasks(connection: sqlite3.Connection, run_key: int) -> list[TaskRow]:
    return _task_rows(connection, sql.READ_TASKS, run_key)


def timers(connection: sqlite3.Connection, run_key: int) -> list[TimerRow]:
    return [TimerRow(*row) for row in connection.execute(sql.READ_TIMERS, (run_key,)).fetchall()]


def due_timers(
    connection: sqlite3.Connection,
    shard_group: int,
    due_until_us: int,
    after: TimerRow | None,
    limit: int,
) -> list[TimerRow]:
    behind = (
        (_BEFORE_ALL,) * 4
        if after is None
        else (after.due_us, after.run_key, after.kind, after.seq)
    )
    parameters = (shard_group, due_until_us, *behind, max(limit, 0))
    return [TimerRow(*row) for row in connection.execute(sql.DUE_TIMERS, parameters).fetchall()]


def ready_tasks(
    connection: sqlite3.Connection,
    shard_group: int,
    key: TaskKey,
    after: TaskRow | None,
    limit: int,
) -> list[TaskRow]:
    behind = (
        (_BEFORE_ALL,) * 3 if after is None else (after.ready_since_us, after.run_key, after.seq)
    )
    which = (shard_group, key.task_queue, key.kind, key.name)
    return _task_rows(connection, sql.READY_TASKS, *which, *behind, max(limit, 0))


def ready_task_keys(connection: sqlite3.Connection, shard_group: int) -> list[tuple[TaskKey, int]]:
    found = connection.execute(sql.READY_TASK_KEYS, (shard_group,)).fetchall()
    return [
        (TaskKey(task_queue=task_queue, kind=kind, name=name), count)
        for task_queue, kind, name, count in found
    ]


def assigned_tasks(
    connection: sqlite3.Connection, shard_group: int, after: tuple[int, int] | None, limit: int
) -> list[TaskRow]:
    behind = after if after is not None else (_BEFORE_ALL, _BEFORE_ALL)
    return _task_rows(connection, sql.ASSIGNED_TASKS, shard_group, *behind, max(limit, 0))


def _one_run(connection: sqlite3.Connection, statement: str, *parameters: Any) -> RunRow | None:
    row = connection.execute(statement, parameters).fetchone()
    return None if row is None else run_row(row)


def _task_rows(connection: sqlite3.Connection, statement: str, *parameters: Any) -> list[TaskRow]:
    return [
        TaskRow(
            run_key=run_key,
            kind=kind,
            seq=seq,
            task_queue=task_queue,
            name=name,
            ready=bool(ready),
            assignee=assignee,
            ready_since_us=ready_since_us,
            record=record,
        )
        for (
            run_key,
            kind,
            seq,
            task_queue,
            name,
            ready,
            assignee,
            ready_since_us,
            record,
        ) in connection.execute(statement, parameters).fetchall()
    ]

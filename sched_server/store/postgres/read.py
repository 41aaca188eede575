"""The reads: a connection and arguments in, the port's rows out.

Integers are sent as bigint whatever their size: the driver would choose a type
by value, and the server would plan the statement anew for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.types.numeric import Int8

from sched_server.store.port import EventMark, EventRow, RunRow, TaskKey, TaskRow, TimerRow
from sched_server.store.postgres import listing
from sched_server.store.postgres import statements as sql
from sched_server.store.postgres.arrays import int8_array, text_array
from sched_server.store.postgres.connection import fetch, fetch_one
from sched_server.store.rows import run_row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection

    from sched_server.store.port import RunFilter

_BEFORE_ALL = Int8(-(1 << 63))
"""The smallest bigint: a page "behind" it begins at the beginning."""


async def run(connection: AsyncConnection, run_key: int) -> RunRow | None:
    return await _one_run(connection, sql.READ_RUN, Int8(run_key))


async def run_by_id(connection: AsyncConnection, run_id: str) -> RunRow | None:
    return await _one_run(connection, sql.FIND_RUN_BY_ID, run_id)


async def start(connection: AsyncConnection, workflow_id: str, request_id: str) -> RunRow | None:
    return await _one_run(connection, sql.FIND_START, workflow_id, request_id)


async def runs(
    connection: AsyncConnection, workflow_ids: Sequence[str], limit_per_id: int
) -> dict[str, list[RunRow]]:
    found: dict[str, list[RunRow]] = {}
    wanted = text_array(list(dict.fromkeys(workflow_ids)))
    for row in await fetch(connection, sql.FIND_RUNS, [wanted, _limit(limit_per_id)]):
        run = run_row(row)
        found.setdefault(run.workflow_id, []).append(run)
    return found


async def run_page(
    connection: AsyncConnection,
    run_filter: RunFilter,
    after: tuple[int, int] | None,
    limit: int,
) -> list[RunRow]:
    statement, parameters = listing.list_statement(run_filter, after, max(limit, 0))
    return [run_row(row) for row in await fetch(connection, statement, parameters, prepare=False)]


async def run_counts(connection: AsyncConnection, run_filter: RunFilter) -> dict[int, int]:
    statement, parameters = listing.count_statement(run_filter)
    return dict(await fetch(connection, statement, parameters, prepare=False))


async def history(
    connection: AsyncConnection, run_key: int, after_event_id: int, limit: int, max_bytes: int
) -> list[EventRow]:
    parameters = [Int8(run_key), Int8(after_event_id), _limit(limit), Int8(max_bytes)]
    return [EventRow(*row) for row in await fetch(connection, sql.READ_HISTORY, parameters)]


async def event_marks(
    connection: AsyncConnection, events: Sequence[tuple[int, int]]
) -> dict[int, EventMark]:
    run_keys = int8_array([run_key for run_key, _ in events])
    event_ids = int8_array([event_id for _, event_id in events])
    rows = await fetch(connection, sql.READ_EVENT_MARKS, [run_keys, event_ids])
    return {run_key: EventMark(kind, time_us) for run_key, kind, time_us in rows}


async def details(connection: AsyncConnection, run_keys: Sequence[int]) -> dict[int, str]:
    return dict(await fetch(connection, sql.READ_DETAILS, [int8_array(run_keys)]))


async def tasks(connection: AsyncConnection, run_key: int) -> list[TaskRow]:
    return await _task_rows(connection, sql.READ_TASKS, Int8(run_key))


async def timers(connection: AsyncConnection, run_key: int) -> list[TimerRow]:
    return [TimerRow(*row) for row in await fetch(connection, sql.READ_TIMERS, [Int8(run_key)])]


async def due_timers(
    connection: AsyncConnection,
    shard_group: int,
    due_until_us: int,
    after: TimerRow | None,
    limit: int,
) -> list[TimerRow]:
    behind = (
        [_BEFORE_ALL] * 4
        if after is None
        else [Int8(after.due_us), Int8(after.run_key), Int8(after.kind), Int8(after.seq)]
    )
    parameters = [Int8(shard_group), Int8(due_until_us), *behind, _limit(limit)]
    return [TimerRow(*row) for row in await fetch(connection, sql.DUE_TIMERS, parameters)]


async def ready_tasks(
    connection: AsyncConnection,
    shard_group: int,
    key: TaskKey,
    after: TaskRow | None,
    limit: int,
) -> list[TaskRow]:
    behind = (
        [_BEFORE_ALL] * 3
        if after is None
        else [Int8(after.ready_since_us), Int8(after.run_key), Int8(after.seq)]
    )
    which = (Int8(shard_group), key.task_queue, Int8(key.kind), key.name)
    return await _task_rows(connection, sql.READY_TASKS, *which, *behind, _limit(limit))


async def ready_task_keys(
    connection: AsyncConnection, shard_group: int
) -> list[tuple[TaskKey, int]]:
    rows = await fetch(connection, sql.READY_TASK_KEYS, [Int8(shard_group)])
    return [
        (TaskKey(task_queue=task_queue, kind=kind, name=name), count)
        for task_queue, kind, name, count in rows
    ]


async def assigned_tasks(
    connection: AsyncConnection, shard_group: int, after: tuple[int, int] | None, limit: int
) -> list[TaskRow]:
    behind = [_BEFORE_ALL] * 2 if after is None else [Int8(after[0]), Int8(after[1])]
    parameters = (Int8(shard_group), *behind, _limit(limit))
    return await _task_rows(connection, sql.ASSIGNED_TASKS, *parameters)


def _limit(limit: int) -> Int8:
    return Int8(max(limit, 0))


async def _one_run(connection: AsyncConnection, statement: str, *parameters: Any) -> RunRow | None:
    row = await fetch_one(connection, statement, parameters)
    return None if row is None else run_row(row)


async def _task_rows(
    connection: AsyncConnection, statement: str, *parameters: Any
) -> list[TaskRow]:
    return [
        TaskRow(
            run_key=run_key,
            kind=kind,
            seq=seq,
            task_queue=task_queue,
            name=name,
            ready=ready,
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
        ) in await fetch(connection, statement, parameters)
    ]

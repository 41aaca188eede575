"""The one way to write: a batch of changes in one transaction.

    fence -> which expectations fail -> judge the groups -> one statement per table

All rows are collected in Python first, because the number of statements, not
of rows, decides how fast a batch is (see `bulk.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from sched_server.store.open_runs import judge
from sched_server.store.port import CommitBatch, FencedError, StoreLease
from sched_server.store.sqlite import statements as sql
from sched_server.store.sqlite.connection import Transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from sched_server.store.port import RunChange

_KEYS_PER_GROUP = 1 << 40
"""Each shard group hands out run keys from a range of its own, so that a key
names one run in the whole store."""

_PAGE_BYTES = 4096


class Written(Struct):
    """What a batch did."""

    applied: list[bool]
    pages: int
    """About how many pages it added to the write-ahead log."""


def acquire(
    connection: sqlite3.Connection,
    shard_group: int,
    address: str,
    wall_us: Callable[[], int],
    fatal: Callable[[str], NoReturn],
) -> StoreLease:
    """Raise the epoch of a shard group. `wall_us` tells the time of day: for the
    lease when all is written, since a disk may take long, and cluster time
    would lag behind by that."""
    first_run_key = shard_group * _KEYS_PER_GROUP + 1
    with Transaction(connection, fatal):
        connection.execute(sql.ACQUIRE, (shard_group, address, wall_us(), first_run_key))
        epoch, next_run_key = connection.execute(sql.READ_LEASE, (shard_group,)).fetchone()
        advanced = connection.execute(sql.READ_ADVANCED).fetchone()
    advanced_us = 0 if advanced is None else advanced[0]
    return StoreLease(
        shard_group=shard_group,
        epoch=epoch,
        next_run_key=next_run_key,
        now_us=wall_us() + advanced_us,
        advanced_us=advanced_us,
    )


def advance_clock(
    connection: sqlite3.Connection,
    shard_group: int,
    epoch: int,
    advanced_us: int,
    fatal: Callable[[str], NoReturn],
) -> None:
    """Remember how far the clock is ahead. Raises FencedError."""
    with Transaction(connection, fatal):
        _check_fence(connection, CommitBatch(shard_group=shard_group, epoch=epoch, groups=[]))
        connection.execute(sql.WRITE_ADVANCED, (advanced_us,))


def write_batch(
    connection: sqlite3.Connection, batch: CommitBatch, fatal: Callable[[str], NoReturn]
) -> Written:
    """Write what of the batch applies. Raises FencedError, or what SQLite
    raises; then nothing is written."""
    changes = [change for group in batch.groups for change in group.changes]
    if len({change.run_key for change in changes}) != len(changes):
        raise ValueError("A batch holds two changes of one run; they must be netted to one.")
    with Transaction(connection, fatal):
        _check_fence(connection, batch)
        applied = judge(
            batch.groups, _unexpected_runs(connection, changes), _open_runs(connection, changes)
        )
        if not all(applied):
            groups = [group for group, ok in zip(batch.groups, applied, strict=True) if ok]
            changes = [change for group in groups for change in group.changes]
        pages = _write_changes(connection, batch.shard_group, changes) if changes else 0
    return Written(applied, pages)


def _check_fence(connection: sqlite3.Connection, batch: CommitBatch) -> None:
    row = connection.execute(sql.READ_EPOCH, (batch.shard_group,)).fetchone()
    current = row[0] if row is not None else None
    if current != batch.epoch:
        raise FencedError(
            f"Epoch {batch.epoch} of shard group {batch.shard_group} is over (now: "
            f"{'none' if current is None else current}): another engine leads. Nothing was written."
        )


def _unexpected_runs(connection: sqlite3.Connection, changes: Sequence[RunChange]) -> set[int]:
    expected: list[int] = []
    for change in changes:
        expected += (
            change.run_key,
            change.expected_last_event_id if change.created is None else -1,
        )
    return {row[0] for row in sql.UNEXPECTED_RUNS.fetch(connection, expected)}


def _open_runs(connection: sqlite3.Connection, changes: Sequence[RunChange]) -> dict[str, int]:
    opening = [change.created.workflow_id for change in changes if change.created is not None]
    return dict(sql.OPEN_RUNS.fetch(connection, opening))


class _Rows(Struct):
    """The parameters of each bulk statement, flat."""

    closings: list[Any] = field(default_factory=list)
    runs: list[Any] = field(default_factory=list)
    counters: list[Any] = field(default_factory=list)
    details: list[Any] = field(default_factory=list)
    events: list[Any] = field(default_factory=list)
    tasks_put: list[Any] = field(default_factory=list)
    tasks_deleted: list[Any] = field(default_factory=list)
    timers_put: list[Any] = field(default_factory=list)
    timers_deleted: list[Any] = field(default_factory=list)
    data_bytes: int = 0


def _write_changes(
    connection: sqlite3.Connection, shard_group: int, changes: Sequence[RunChange]
) -> int:
    """Write every change; returns about how many pages that dirties: one for a
    row, more for long data."""
    rows = _Rows()
    for change in changes:
        _collect(rows, shard_group, change)
    row_count = 0
    # Closes come first: a new run may take the workflow id of one that closes.
    for statement, parameters in (
        (sql.CLOSE_RUNS, rows.closings),
        (sql.INSERT_RUNS, rows.runs),
        (sql.PUT_COUNTERS, rows.counters),
        (sql.PUT_DETAILS, rows.details),
        (sql.INSERT_EVENTS, rows.events),
        (sql.DELETE_TASKS, rows.tasks_deleted),
        (sql.PUT_TASKS, rows.tasks_put),
        (sql.DELETE_TIMERS, rows.timers_deleted),
        (sql.PUT_TIMERS, rows.timers_put),
    ):
        if parameters:
            row_count += statement.execute(connection, parameters)
    if rows.runs:
        newest = max(change.run_key for change in changes if change.created is not None)
        connection.execute(sql.RAISE_NEXT_RUN_KEY, (newest + 1, shard_group))
    return row_count + rows.data_bytes // _PAGE_BYTES


def _collect(rows: _Rows, shard_group: int, change: RunChange) -> None:
    run_key = change.run_key
    shard = change.shard
    rows.counters += (
        run_key,
        shard,
        change.last_event_id,
        change.history_bytes,
        change.build_id,
    )
    if change.created is not None:
        _collect_created(rows, change)
    elif change.closed_status:
        rows.closings += (run_key, change.closed_status, change.closed_us)
    if change.details is not None:
        rows.data_bytes += len(change.details)
        rows.details += (run_key, shard, change.details)
    for event in change.events:
        data = event.data
        rows.data_bytes += len(data)
        rows.events += (run_key, event.event_id, shard, event.type, event.time_us, data)
    for (kind, seq), task in change.tasks_put.items():
        rows.data_bytes += len(task.record)
        rows.tasks_put += (
            run_key,
            kind,
            seq,
            shard_group,
            shard,
            task.task_queue,
            task.name,
            task.ready,
            task.assignee,
            task.ready_since_us,
            task.record,
        )
    for kind, seq in change.tasks_deleted:
        rows.tasks_deleted += (run_key, kind, seq)
    for (kind, seq), due_us in change.timers_put.items():
        rows.timers_put += (run_key, kind, seq, shard_group, shard, due_us)
    for kind, seq in change.timers_deleted:
        rows.timers_deleted += (run_key, kind, seq)


def _collect_created(rows: _Rows, change: RunChange) -> None:
    run = change.created
    assert run is not None
    rows.runs += (
        change.run_key,
        run.run_id,
        run.workflow_id,
        change.shard,
        run.workflow_type,
        run.task_queue,
        change.closed_status or run.status,
        run.start_request_id,
        run.started_us,
        change.closed_us if change.closed_status else run.closed_us,
    )

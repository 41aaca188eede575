"""Builders: short ways to say what a change does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sched_server.store.port import (
    ACTIVITY_TASK,
    CommitBatch,
    CommitGroup,
    EventRow,
    RunChange,
    RunRow,
    Store,
    StoreLease,
    TaskRow,
)

RUNNING = 1
COMPLETED = 2
FAILED = 3
CONTINUED_AS_NEW = 7

START_US = 1_700_000_000_000_000


def event(event_id: int, data: bytes = b"event") -> EventRow:
    return EventRow(event_id=event_id, type=1, time_us=START_US + event_id, data=data)


def new_run(run_key: int, workflow_id: str = "", *, events: int = 1, **fields: Any) -> RunChange:
    """A run that starts with `events` events; `fields` are of the RunRow."""
    row = {
        "run_id": f"run-{run_key}",
        "workflow_id": workflow_id or f"wf-{run_key}",
        "shard": run_key % 7,
        "workflow_type": "Report",
        "task_queue": "default",
        "status": RUNNING,
        "start_request_id": f"request-{run_key}",
        "started_us": START_US + run_key,
    } | fields
    written = [event(event_id) for event_id in range(1, events + 1)]
    return RunChange(
        run_key=run_key,
        shard=row["shard"],
        expected_last_event_id=0,
        last_event_id=events,
        history_bytes=sum(len(one.data) for one in written),
        created=RunRow(run_key=run_key, **row),
        events=written,
    )


def change(run_key: int, expected: int, data: Sequence[bytes] = (), **fields: Any) -> RunChange:
    """An existing run goes on by one event for each of `data`."""
    written = [event(expected + 1 + index, one) for index, one in enumerate(data)]
    return RunChange(
        run_key=run_key,
        shard=run_key % 7,
        expected_last_event_id=expected,
        last_event_id=expected + len(written),
        history_bytes=100 * (expected + len(written)),
        events=written,
        **fields,
    )


def task(run_key: int, seq: int, **fields: Any) -> TaskRow:
    values: dict[str, Any] = {
        "kind": ACTIVITY_TASK,
        "task_queue": "default",
        "name": "send_email",
        "ready": True,
        "assignee": "",
        "ready_since_us": START_US + seq,
        "record": b"record",
    } | fields
    return TaskRow(run_key=run_key, seq=seq, **values)


def with_tasks(into: RunChange, *tasks: TaskRow) -> RunChange:
    for one in tasks:
        into.tasks_put[one.kind, one.seq] = one
    return into


def with_timers(into: RunChange, *timers: tuple[int, int, int]) -> RunChange:
    """`timers` are (kind, seq, due_us)."""
    for kind, seq, due_us in timers:
        into.timers_put[kind, seq] = due_us
    return into


class Leader:
    """Commits under one lease."""

    def __init__(self, store: Store, lease: StoreLease) -> None:
        self.store = store
        self.lease = lease

    async def commit_groups(self, *groups: Sequence[RunChange]) -> list[bool]:
        """One batch; each argument is a group."""
        return await self.store.commit(
            CommitBatch(
                shard_group=self.lease.shard_group,
                epoch=self.lease.epoch,
                groups=[CommitGroup(changes=list(changes)) for changes in groups],
            )
        )

    async def commit(self, *changes: RunChange) -> list[bool]:
        """One batch with a group for each change."""
        return await self.commit_groups(*([one] for one in changes))

    async def write(self, *changes: RunChange) -> None:
        """The same; every change has to be applied."""
        assert all(await self.commit(*changes))


async def lead(store: Store, shard_group: int = 0) -> Leader:
    return Leader(store, await store.acquire(shard_group, "127.0.0.1:50051"))


async def event_ids(store: Store, run_key: int) -> list[int]:
    events = await store.read_history(run_key, after_event_id=0, limit=10_000, max_bytes=1 << 30)
    return [one.event_id for one in events]

"""The store port: what the engine asks of a database.

Every adapter passes `tests/store/conformance.py`. The engine is the only
writer, so the port is small: one way to write (`commit`, everything that a
batch of transitions changes, in one transaction) and a few reads.

Runs are named by `run_key`, an integer that the engine hands out in ascending
order (`StoreLease.next_run_key`); ids for people stay text columns.
Times are microseconds since the Unix epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKFLOW_TASK = 1
ACTIVITY_TASK = 2


class EventRow(Struct, frozen=True):
    """One event; `data` is the serialized HistoryEvent, written as it is."""

    event_id: int
    type: int
    time_us: int
    data: bytes


class EventMark(Struct, frozen=True):
    """What an event was, and when; without its contents."""

    type: int
    time_us: int


class RunRow(Struct, kw_only=True):
    """What lists, look-ups and recovery need to know of a run. Written at the
    start and at the close only; the counters change with every commit and live
    in a narrow row of their own."""

    run_key: int
    run_id: str
    workflow_id: str
    shard: int
    workflow_type: str
    task_queue: str
    status: int
    start_request_id: str
    started_us: int
    closed_us: int = 0
    last_event_id: int = 0
    history_bytes: int = 0
    build_id: str = ""
    """Of the worker that completed the last workflow task."""


class TaskRow(Struct, kw_only=True):
    """A pending task of either kind: the outbox row, and the pending record."""

    run_key: int
    kind: int
    """WORKFLOW_TASK or ACTIVITY_TASK."""
    seq: int
    """The activity's command number; 0 for the workflow task."""
    task_queue: str
    name: str
    """The workflow type, or the activity's name."""
    ready: bool
    """Waits for a worker: not assigned, not in backoff."""
    assignee: str
    """The worker session that runs it (activities); empty when none does."""
    ready_since_us: int
    """Orders the backlog (with run_key and seq)."""
    record: bytes
    """The engine's encoding of everything else; opaque here."""


class TimerRow(Struct, frozen=True):
    """Something becomes due. (run_key, kind, seq) is unique; a put replaces."""

    run_key: int
    kind: int
    seq: int
    due_us: int


class RunChange(Struct, kw_only=True):
    """The net change of one run in a batch.

    Applied only if the stored `last_event_id` equals `expected_last_event_id`
    (new runs: the run key does not exist and no other run of the workflow id is
    open when the change opens one). A task or timer is in at most one of the
    put and deleted collections.
    """

    run_key: int
    shard: int
    expected_last_event_id: int
    last_event_id: int
    history_bytes: int
    """The new total."""
    build_id: str = ""
    """Of the worker that completed the last workflow task."""
    created: RunRow | None = None
    closed_status: int = 0
    """Above 0: the run closes with this status at `closed_us`."""
    closed_us: int = 0
    details: str | None = None
    """What the run says it is doing, for people; None: nothing new, empty: no more."""
    events: list[EventRow] = field(default_factory=list)
    tasks_put: dict[tuple[int, int], TaskRow] = field(default_factory=dict)
    """By (kind, seq); replaces the stored row if there is one."""
    tasks_deleted: set[tuple[int, int]] = field(default_factory=set)
    """By (kind, seq); deleting what is not there is nothing."""
    timers_put: dict[tuple[int, int], int] = field(default_factory=dict)
    """(kind, seq) → due_us; replaces."""
    timers_deleted: set[tuple[int, int]] = field(default_factory=set)


class CommitGroup(Struct, kw_only=True):
    """Changes that apply all or none (most groups hold one)."""

    changes: list[RunChange]


class CommitBatch(Struct, kw_only=True):
    shard_group: int
    epoch: int
    groups: list[CommitGroup]


class StoreLease(Struct, frozen=True):
    """Leadership of one shard group."""

    shard_group: int
    epoch: int
    """Higher than that of every leader before."""
    next_run_key: int
    """The first run key that was never used."""
    now_us: int
    """The database's clock at the takeover, and `advanced_us` more."""
    advanced_us: int = 0
    """How far the clock was moved ahead."""


class TaskKey(Struct, frozen=True):
    """Which tasks a worker takes: the unit of backlog and matching."""

    task_queue: str
    kind: int
    name: str


class RunFilter(Struct, kw_only=True, frozen=True):
    """Which runs; what is empty or 0 does not restrict."""

    statuses: tuple[int, ...] = ()
    workflow_type: str = ""
    task_queue: str = ""
    workflow_id_prefix: str = ""
    """Matched as a range scan, byte by byte; `%` and `_` mean themselves."""
    started_after_us: int = 0
    """Inclusive."""
    started_before_us: int = 0
    """Exclusive."""
    build_id: str = ""


class StoreStatus(Struct, frozen=True):
    """For people: whether the database does what it is asked to."""

    connected: bool = True
    last_error: str = ""
    """Why it does not, and what to do; without secrets. Empty when all is well."""
    warnings: tuple[str, ...] = ()
    """What works but should be set otherwise, each with its remedy."""


class StoreError(Exception):
    """The root of what a store raises; the message is for people."""


class StoreLockedError(StoreError):
    """Another engine uses this store."""


class StoreVersionError(StoreError):
    """The store was written by a newer version of sched, or is no sched store."""


class FencedError(StoreError):
    """The epoch moved on: another engine leads this shard group. Nothing was written."""


class StoreDataError(StoreError):
    """The database refused a value in this batch. Nothing was written; a
    smaller batch may succeed."""


class StoreUnavailableError(StoreError):
    """Nothing was written, or nothing was read; trying again may help."""


class StoreRefusedError(StoreUnavailableError):
    """The address of the store, the user, the password or the database is wrong,
    or may not be used: somebody has to correct that first."""


class Store(Protocol):
    """One database. Methods may be called concurrently, except that only one
    `commit` per shard group is under way at a time."""

    cluster_id: str
    """Whose state this is: made with the schema, and never changed. Known once the
    store was opened, empty before."""

    @property
    def description(self) -> str:
        """For people: "sqlite .sched/dev.db"."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was found at `open` that works but should be set otherwise, each
        with its remedy."""
        ...

    @property
    def trouble(self) -> str:
        """Why the last commit could not be written, and what to do; empty when it could."""
        ...

    async def open(self) -> None:
        """Connect, create or migrate the schema.

        Raises StoreLockedError, StoreVersionError, StoreUnavailableError.
        """
        ...

    async def close(self) -> None:
        """Finish what is under way and let go of every file and thread."""
        ...

    async def acquire(self, shard_group: int, address: str) -> StoreLease:
        """Become the leader of a shard group: raise its epoch."""
        ...

    async def advance_clock(self, shard_group: int, epoch: int, advanced_us: int) -> None:
        """From the next lease on, time is so far ahead of the database's clock; durable
        when this returns.

        Raises FencedError, StoreUnavailableError.
        """
        ...

    async def commit(self, batch: CommitBatch) -> list[bool]:
        """Write a batch in one transaction; durable when this returns.

        Returns for each group whether it was applied; a group is not applied
        when an expectation of one of its changes does not hold.
        Raises FencedError, StoreDataError, StoreUnavailableError (nothing was
        written). A failure that leaves the outcome unknown ends the process
        (SQLite) or is resolved by looking before this returns.
        """
        ...

    async def read_run(self, run_key: int) -> RunRow | None: ...

    async def find_runs(
        self, workflow_ids: Sequence[str], *, limit_per_id: int = 1
    ) -> dict[str, list[RunRow]]:
        """The newest runs of each workflow id, newest first. Ids without runs
        are left out."""
        ...

    async def find_run_by_id(self, run_id: str) -> RunRow | None: ...

    async def find_start(self, workflow_id: str, request_id: str) -> RunRow | None:
        """The run of this workflow id that was started by this request."""
        ...

    async def read_history(
        self, run_key: int, *, after_event_id: int, limit: int, max_bytes: int
    ) -> list[EventRow]:
        """Committed events in order: at most `limit`, and no more than
        `max_bytes` of data (but at least one if there is one)."""
        ...

    async def read_event_marks(self, events: Sequence[tuple[int, int]]) -> dict[int, EventMark]:
        """Of one event of each of many runs, by run key: `events` are (run_key,
        event_id). Runs that do not have that event are left out."""
        ...

    async def read_details(self, run_keys: Sequence[int]) -> dict[int, str]:
        """What each of many runs says it is doing, by run key. Runs that say
        nothing are left out."""
        ...

    async def read_tasks(self, run_key: int) -> list[TaskRow]: ...

    async def read_timers(self, run_key: int) -> list[TimerRow]: ...

    async def due_timers(
        self, shard_group: int, *, due_until_us: int, after: TimerRow | None, limit: int
    ) -> list[TimerRow]:
        """Timers with `due_us <= due_until_us`, ordered by (due_us, run_key,
        kind, seq), behind `after`."""
        ...

    async def ready_tasks(
        self, shard_group: int, key: TaskKey, *, after: TaskRow | None, limit: int
    ) -> list[TaskRow]:
        """Ready tasks of one key, ordered by (ready_since_us, run_key, seq), behind `after`."""
        ...

    async def ready_task_keys(self, shard_group: int) -> list[tuple[TaskKey, int]]:
        """Every key that has ready tasks, and how many."""
        ...

    async def assigned_tasks(
        self, shard_group: int, *, after: tuple[int, int] | None, limit: int
    ) -> list[TaskRow]:
        """Activities that a worker session runs, ordered by (run_key, seq)."""
        ...

    async def list_runs(
        self, run_filter: RunFilter, *, after: tuple[int, int] | None, limit: int
    ) -> list[RunRow]:
        """Newest first: ordered by (started_us, run_key) descending, behind
        `after` = (started_us, run_key)."""
        ...

    async def count_runs(self, run_filter: RunFilter) -> dict[int, int]:
        """How many runs, by status."""
        ...

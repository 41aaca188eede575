"""The end: the rows in the database, held to everything that must be true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core.values import Status
from sched_server.store.port import RunChange, RunFilter
from sched_server.store.postgres import PostgresStore
from tests.chaos.effects import Effects
from tests.chaos.shapes import EXPECTED
from tests.sim import results
from tests.sim.checkers import OF_ROWS
from tests.sim.truth import Truth

if TYPE_CHECKING:
    from sched_server.store.port import (
        EventRow,
        RunRow,
        Store,
        TaskRow,
        TimerRow,
    )
    from tests.chaos.world import World


class Rows:
    """All that is stored, read once."""

    def __init__(self) -> None:
        self.runs: dict[int, RunRow] = {}
        self.events: dict[int, list[EventRow]] = {}
        self.tasks: dict[int, list[TaskRow]] = {}
        self.timers: dict[int, list[TimerRow]] = {}
        self.details: dict[int, str] = {}
        # As the checkers ask.
        self.read_run = self.runs.get
        self.read_history = self.events.__getitem__
        self.read_tasks = self.tasks.__getitem__
        self.read_timers = self.timers.__getitem__
        self.read_details = self.details.__getitem__

    async def read(self, store: Store) -> None:
        for run in await store.list_runs(RunFilter(), after=None, limit=1_000_000):
            key = run.run_key
            self.runs[key] = run
            self.events[key] = await store.read_history(
                key, after_event_id=0, limit=1 << 30, max_bytes=1 << 40
            )
            self.tasks[key] = await store.read_tasks(key)
            self.timers[key] = await store.read_timers(key)
            self.details[key] = (await store.read_details([key])).get(key, "")

    def as_change(self, run_key: int) -> RunChange:
        """As if all of a run had been written at once."""
        row = self.runs[run_key]
        closed = row.status != Status.RUNNING
        return RunChange(
            run_key=run_key,
            shard=row.shard,
            expected_last_event_id=0,
            last_event_id=row.last_event_id,
            history_bytes=row.history_bytes,
            created=row,
            closed_status=row.status if closed else 0,
            closed_us=row.closed_us,
            details=self.details[run_key],
            events=self.events[run_key],
            tasks_put={(task.kind, task.seq): task for task in self.tasks[run_key]},
            timers_put={(t.kind, t.seq): t.due_us for t in self.timers[run_key]},
        )


async def read_postgres(dsn: str) -> Rows:
    rows, store = Rows(), PostgresStore(dsn)
    await store.open()
    try:
        await rows.read(store)
    finally:
        await store.close()
    return rows


def judge(world: World, rows: Rows) -> None:
    """Look at everything; what is wrong is told to the world."""
    world.database = rows
    world.ledger.read_on()
    world.checkers.truth = truth = _truth(rows)
    checkers = [checker(world) for checker in (*OF_ROWS, Effects)]  # type: ignore[arg-type]  # see world.py
    for run in truth.by_key.values():
        change = rows.as_change(run.key)
        for checker in checkers:
            checker.committed(run, change, run.events)
    for checker in checkers:
        checker.looked()
        checker.ended()
    _check_answers(world, truth)


def _check_answers(world: World, truth: Truth) -> None:
    """What clients were told at last: results, and that they came too late."""
    for run_id, request_id in world.checkers.refusals:
        if request_id in truth.by_run_id[run_id].requests:
            world.wrong("Clients", f"{request_id}, sent again to run {run_id}, is refused")
    for job, run_id, status, value in world.checkers.outcomes:
        found = truth.by_run_id.get(run_id)
        if found is None:
            world.wrong("Results", f"{job.workflow_id} has a result, and there is no run {run_id}")
            continue
        problem = results.problem(job, found, status, value, known=EXPECTED)
        if problem:
            world.wrong("Results", f"{found}: {problem}")


def _truth(rows: Rows) -> Truth:
    truth = Truth()
    for run_key in sorted(rows.runs):
        truth.take_change(rows.as_change(run_key))
    return truth

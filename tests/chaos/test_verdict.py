"""The verdict sees what is wrong: rows of a good run, and what is changed in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from sched_sdk import Client, Worker
from sched_sdk.api.v1.history_pb2 import HistoryEvent
from sched_server import EngineServer, EngineSettings
from sched_server.store.port import EventRow, TimerRow
from tests.chaos import verdict
from tests.chaos.notebook import Reader, Writer
from tests.chaos.plan import Plan
from tests.chaos.shapes import ACTIVITIES, WORKFLOWS
from tests.chaos.timeline import Timeline
from tests.chaos.world import World
from tests.sim.client_script import run_job
from tests.sim.ledger import close_ledger, open_ledger
from tests.sim.plan import Act, Job

JOBS = (
    Job(
        number=0,
        workflow="collects",
        n=2,
        client=0,
        at_s=0.0,
        acts=tuple(Act(kind="signal", after_s=0.0, value=value) for value in (1, 3)),
    ),
    Job(number=1, workflow="dispatches", n=1, client=0, at_s=0.0),
    Job(number=2, workflow="steps", n=2, client=0, at_s=0.0),
)

Break = Callable[[World, verdict.Rows], None]


def _history(rows: verdict.Rows, workflow: str) -> list[EventRow]:
    (key,) = (key for key, row in rows.runs.items() if row.workflow_type == workflow)
    return rows.events[key]


def _change(event: EventRow, change: Callable[[HistoryEvent], None]) -> EventRow:
    message = HistoryEvent.FromString(event.data)
    change(message)
    return structs.replace(event, data=message.SerializeToString())


def lose_an_event(world: World, rows: verdict.Rows) -> None:
    del _history(rows, "steps")[2]


def lose_the_end(world: World, rows: verdict.Rows) -> None:
    del _history(rows, "steps")[-1]


def lose_a_signal(world: World, rows: verdict.Rows) -> None:
    def rename(message: HistoryEvent) -> None:
        message.signal_received.request_id = "another"

    history = _history(rows, "collects")
    at = next(i for i, e in enumerate(history) if b"signal-w0-3" in e.data)
    history[at] = _change(history[at], rename)


def leave_a_timer(world: World, rows: verdict.Rows) -> None:
    key = next(iter(rows.runs))
    rows.timers[key].append(TimerRow(key, 1, 9, 1))


def change_a_result(world: World, rows: verdict.Rows) -> None:
    world.checkers.outcomes = [
        outcome._replace(value=17) if outcome.job.workflow == "steps" else outcome
        for outcome in world.checkers.outcomes
    ]


def count_an_older_dispatch(world: World, rows: verdict.Rows) -> None:
    (attempts,) = world.ledger.attempts.values()
    attempts.append(attempts[0]._replace(dispatch=attempts[0].dispatch + 1))


def record_what_never_ran(world: World, rows: verdict.Rows) -> None:
    world.ledger.attempts.clear()


def begin_a_step_too_early(world: World, rows: verdict.Rows) -> None:
    world.ledger.step_lines = [step._replace(at=1.0) for step in world.ledger.step_lines]


def other_commands(world: World, rows: verdict.Rows) -> None:
    def rename(message: HistoryEvent) -> None:
        message.step_completed.name = "somebody_else"
        message.step_completed.seq = 7

    history = _history(rows, "steps")
    at = next(i for i, e in enumerate(history) if b"s0" in e.data)
    history[at] = _change(history[at], rename)


BROKEN: dict[Break, str] = {
    lose_an_event: "DenseIds",
    lose_the_end: "OneEnd",
    lose_a_signal: "Acknowledgements",
    leave_a_timer: "RowsEqualFold",
    change_a_result: "Results",
    count_an_older_dispatch: "Effects",
    record_what_never_ran: "Effects",
    begin_a_step_too_early: "Effects",
    other_commands: "Replays",
}


@pytest.fixture
async def good(tmp_path: Path) -> Any:
    """A world in which nothing broke, with its rows."""
    path = tmp_path / "ledger.jsonl"
    path.touch()
    reader = Reader(path)
    plan = Plan(seed=0, seconds=0, engines=1, workers=1, jobs=JOBS, faults=())
    world = World(plan, reader, Timeline())
    open_ledger(Writer(path))
    rows = verdict.Rows()
    engine = EngineServer(EngineSettings(db=":memory:", port=0))
    await engine.start()
    try:
        async with (
            Worker(engine.address, workflows=WORKFLOWS, activities=ACTIVITIES),
            await Client.connect(engine.address) as client,
        ):
            for job in JOBS:
                await run_job(world, client, job)  # type: ignore[arg-type]  # see world.py
        assert engine._store is not None
        await rows.read(engine._store)
    finally:
        await engine.stop()
    reader.read_on()
    yield world, rows
    close_ledger()
    reader.close()


def test_nothing_is_wrong_with_a_good_run(good: tuple[World, verdict.Rows]) -> None:
    world, rows = good
    verdict.judge(world, rows)
    assert world.trace.violations == []
    assert len(rows.runs) == len(JOBS)
    assert [outcome.status for outcome in world.checkers.outcomes] == ["COMPLETED"] * len(JOBS)


@pytest.mark.parametrize("breaks", BROKEN, ids=lambda breaks: breaks.__name__)
def test_what_is_wrong_is_found(breaks: Break, good: tuple[World, verdict.Rows]) -> None:
    world, rows = good
    breaks(world, rows)
    verdict.judge(world, rows)
    assert BROKEN[breaks] in {checker for checker, _ in world.trace.violations}

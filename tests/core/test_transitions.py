"""The transition tables: every row is used, and what is not listed raises."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

import pytest

from sched_server.core import events as e
from sched_server.core import evolve, put_record, transitions
from sched_server.core.decision import PutActivityRecord, PutTaskRecord
from sched_server.core.state import (
    ActivityPhase,
    ActivityRecord,
    ExecutionState,
    TaskPhase,
    WorkflowTaskRecord,
)
from sched_server.core.transitions import IllegalTransition
from tests import core as corpus

from . import scenario
from .scenario import BOOM, RESULT, T0, completed, started, with_activity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TABLES = ("RUN", "ACTIVITY_EVENTS", "ACTIVITY_RECORDS", "TASK_RECORDS", "TIMER")


class VisitedDict(dict[Any, Any]):
    """A table that notes which of its rows were looked up."""

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self.visited: set[Any] = set()

    def __contains__(self, key: object) -> bool:
        self.visited.add(key)
        return super().__contains__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        self.visited.add(key)
        return super().get(key, default)


def scenarios() -> Iterator[Callable[[], None]]:
    """Every test of this folder that is one story: no arguments, no fixtures."""
    for module in pkgutil.iter_modules(corpus.__path__, f"{corpus.__name__}."):
        if not module.name.rpartition(".")[2].startswith("test_") or module.name == __name__:
            continue
        for name, test in vars(importlib.import_module(module.name)).items():
            plain = name.startswith("test_") and not hasattr(test, "hypothesis")
            if plain and not inspect.signature(test).parameters:
                yield test


def test_every_row_of_every_table_is_visited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario, "check_rebuild", False)
    tables = {}
    for name in TABLES:
        rows = getattr(transitions, name)
        table = VisitedDict(rows if isinstance(rows, dict) else dict.fromkeys(rows))
        monkeypatch.setattr(transitions, name, table)
        tables[name] = table

    for test in scenarios():
        test()

    unvisited = {name: set(table) - table.visited for name, table in tables.items()}
    assert unvisited == {name: set() for name in TABLES}


def test_there_are_scenarios_to_visit_them() -> None:
    assert sum(1 for _ in scenarios()) > 100


# ---------------------------------------------------------------- what is not listed


def fold(state: ExecutionState, attributes: e.Attributes, **changes: int) -> None:
    given = {"event_id": state.last_event_id + 1, "time_us": state.last_time_us} | changes
    evolve(state, e.Event(attributes=attributes, **given))


def test_nothing_happens_before_the_start() -> None:
    with pytest.raises(IllegalTransition, match="TimerFired in a run that is NEW"):
        fold(ExecutionState(), e.TimerFired(seq=1))


def test_nothing_happens_behind_the_end() -> None:
    run = started()
    run.segment(completed())

    with pytest.raises(IllegalTransition, match="WorkflowFailed in a run that is COMPLETED"):
        fold(run.state, e.WorkflowFailed(failure=BOOM))


def test_event_ids_have_no_gaps() -> None:
    with pytest.raises(IllegalTransition, match="event 3 follows event 1"):
        fold(started().state, e.WorkflowFailed(failure=BOOM), event_id=3)


def test_time_does_not_go_back() -> None:
    with pytest.raises(IllegalTransition, match="event 2 is earlier than the one before it"):
        fold(started().state, e.WorkflowFailed(failure=BOOM), time_us=T0 - 1)


def test_an_activity_is_resolved_once() -> None:
    run = with_activity()
    dispatch = run.assign()
    resolution = run.report(dispatch, result=RESULT).events[0]

    with pytest.raises(
        IllegalTransition, match="ActivityCompleted for activity 1, which is not pending"
    ):
        fold(run.state, resolution)


def test_a_timer_that_is_not_pending_does_not_fire() -> None:
    with pytest.raises(IllegalTransition, match="TimerFired for timer 4, which is ABSENT"):
        fold(started().state, e.TimerFired(seq=4))


def test_an_illegal_event_leaves_the_activity_as_it_was() -> None:
    run = with_activity()
    run.report(run.assign(), failure=BOOM)

    with pytest.raises(IllegalTransition, match="which is BACKOFF"):
        fold(
            run.state,
            e.ActivityRetryScheduled(seq=1, attempt=1, failure=BOOM, next_attempt_time_us=T0),
        )
    assert run.state.activities[1].record.phase is ActivityPhase.BACKOFF


def test_records_follow_their_tables_too() -> None:
    run = with_activity()

    with pytest.raises(IllegalTransition, match="activity 1 SCHEDULED → SCHEDULED"):
        put_record(run.state, PutActivityRecord(1, ActivityRecord()))
    with pytest.raises(IllegalTransition, match="activity 2, which is not pending"):
        put_record(run.state, PutActivityRecord(2, ActivityRecord()))
    with pytest.raises(IllegalTransition, match="workflow task IDLE → IDLE"):
        put_record(run.state, PutTaskRecord(WorkflowTaskRecord(phase=TaskPhase.IDLE)))

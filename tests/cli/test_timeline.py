"""Rows and bars from histories, for fixed data."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sched_cli.render.axis import Axis, Cell
from sched_cli.timeline import Row, RowKind, RowState, SpanKind, Timeline
from sched_sdk._client.models import Event, TaskState
from sched_sdk.api.v1 import history_pb2
from tests.cli.test_rendering import NOW, description, pending

LOOKS = {
    Cell.EMPTY: ".",
    Cell.WAITING: "-",
    Cell.WORKING: "=",
    Cell.FAILED: "x",
    Cell.MOMENT: "|",
}


def at(seconds: float) -> Any:
    return NOW + timedelta(seconds=seconds)


def history(*events: tuple[float, str, dict[str, Any]]) -> list[Event]:
    """From seconds after the start, types and attributes."""
    raw = history_pb2.HistoryEvent()
    return [
        Event(event_id=number, type=kind, time=at(seconds), attributes=attributes, raw=raw)
        for number, (seconds, kind, attributes) in enumerate(events, start=1)
    ]


STARTED = (0.0, "WorkflowStarted", {"workflow_type": "Order"})


def drawn(row: Row, seconds: float, width: int = 10) -> str:
    axis = Axis(NOW, at(seconds), width)
    return "".join(LOOKS[cell] for cell in axis.cells(row))


def test_an_activity_waits_for_its_worker_and_then_works() -> None:
    timeline = Timeline(
        history(
            STARTED,
            (0, "ActivityScheduled", {"seq": 1, "name": "charge", "call_site": "app.py:7"}),
            (
                10,
                "ActivityCompleted",
                {"seq": 1, "summary": {"attempts": 1, "started_time": at(4)}},
            ),
        )
    )
    (row,) = timeline.rows()
    assert (row.kind, row.name, row.event_id, row.call_site) == (
        "activity",
        "charge",
        2,
        "app.py:7",
    )
    assert (row.start, row.end, row.state, row.attempts) == (NOW, at(10), RowState.DONE, 1)
    assert drawn(row, 10) == "----======"
    assert drawn(row, 20) == "--===....."


def test_failed_attempts_and_the_pauses_between_them_are_seen() -> None:
    timeline = Timeline(
        history(
            STARTED,
            (0, "ActivityScheduled", {"seq": 1, "name": "charge"}),
            (2, "ActivityRetryScheduled", {"seq": 1, "attempt": 1, "next_attempt_time": at(4)}),
            (5, "ActivityRetryScheduled", {"seq": 1, "attempt": 2, "next_attempt_time": at(8)}),
            (10, "ActivityFailed", {"seq": 1, "summary": {"attempts": 3, "started_time": at(8)}}),
        )
    )
    (row,) = timeline.rows()
    assert drawn(row, 10) == "xx--x---xx"
    assert (row.state, row.attempts, row.due) == (RowState.FAILED, 3, None)


def test_the_try_that_is_yet_to_come_is_not_drawn() -> None:
    events = history(
        STARTED,
        (0, "ActivityScheduled", {"seq": 1, "name": "charge"}),
        (2, "ActivityRetryScheduled", {"seq": 1, "attempt": 1, "next_attempt_time": at(100)}),
    )
    (row,) = Timeline(events).rows()
    assert (row.state, row.end, row.attempts, row.due) == (RowState.OPEN, None, 2, at(100))
    assert drawn(row, 10) == "xx--------"
    (canceled,) = Timeline(
        [*events, *history((0, "", {}), (6, "ActivityCanceled", {"seq": 1}))[1:]]
    ).rows()
    assert drawn(canceled, 10) == "xx----...."
    assert canceled.state is RowState.CANCELED


@pytest.mark.parametrize(
    ("state", "bar"),
    [
        ({"state": TaskState.SCHEDULED}, "----------"),
        ({"state": TaskState.STARTED, "started_time": at(5)}, "-----====="),
        ({"state": TaskState.BACKOFF, "attempt": 7, "due_time": at(20)}, "----------"),
    ],
)
def test_the_description_says_whether_a_worker_is_at_it(state: dict[str, Any], bar: str) -> None:
    timeline = Timeline(history(STARTED, (0, "ActivityScheduled", {"seq": 1, "name": "charge"})))
    (row,) = timeline.rows(description(activities=(pending(**state),)))
    assert drawn(row, 10) == bar
    assert row.attempts == state.get("attempt", 1)
    assert row.due == state.get("due_time")


def test_the_tries_of_a_step_are_one_row_without_their_timers() -> None:
    place = {"name": "reserve", "call_site": "app.py:9"}
    pause = {"retry_after": timedelta(seconds=3), "duration": timedelta(seconds=2)}
    timeline = Timeline(
        history(
            STARTED,
            (2, "StepFailed", {"seq": 1, "attempt": 1, **place, **pause}),
            (
                2,
                "TimerScheduled",
                {"seq": 2, "duration": timedelta(seconds=3), "call_site": "app.py:9"},
            ),
            (5, "TimerFired", {"seq": 2}),
            (
                8,
                "StepCompleted",
                {"seq": 3, "attempt": 2, **place, "duration": timedelta(seconds=2)},
            ),
            (
                10,
                "StepCompleted",
                {"seq": 4, "attempt": 1, **place, "duration": timedelta(seconds=1)},
            ),
        )
    )
    first, second = timeline.rows()
    assert drawn(first, 10) == "xx----==.."
    assert (first.kind, first.attempts, first.state) == (RowKind.STEP, 2, RowState.DONE)
    assert drawn(second, 10) == ".........="


def test_timers_signals_and_requests_to_cancel() -> None:
    timeline = Timeline(
        history(
            STARTED,
            (0, "TimerScheduled", {"seq": 1, "duration": timedelta(seconds=5), "due_time": at(5)}),
            (1, "TimerScheduled", {"seq": 2, "duration": timedelta(days=1), "due_time": at(86401)}),
            (3, "SignalReceived", {"name": "go"}),
            (5, "TimerFired", {"seq": 1}),
            (7, "WorkflowCancelRequested", {}),
            (8, "TimerCanceled", {"seq": 2}),
        )
    )
    rows = timeline.rows()
    assert [drawn(row, 10) for row in rows] == [
        "-----.....",
        ".-------..",
        "...|......",
        ".......|..",
    ]
    assert [row.kind for row in rows] == ["timer", "timer", "signal", "cancel"]
    assert [row.name for row in rows] == ["timer", "timer", "go", "cancel requested"]
    assert [row.state for row in rows] == ["done", "canceled", "done", "done"]
    assert rows[1].length == timedelta(days=1)


def test_the_end_of_the_run_ends_what_was_open() -> None:
    timeline = Timeline(
        history(
            STARTED,
            (1, "ActivityScheduled", {"seq": 1, "name": "charge"}),
            (6, "WorkflowTerminated", {"reason": "enough"}),
        )
    )
    (row,) = timeline.rows()
    assert (timeline.start, timeline.end) == (NOW, at(6))
    assert (row.end, row.state) == (at(6), RowState.CANCELED)
    assert drawn(row, 6, width=6) == ".====="


def test_every_row_leaves_a_mark_on_any_axis() -> None:
    timeline = Timeline(
        history(
            STARTED,
            (1, "ActivityScheduled", {"seq": 1, "name": "quick"}),
            (1.000001, "ActivityCompleted", {"seq": 1}),
            (9.9, "SignalReceived", {"name": "late"}),
        )
    )
    for width in (1, 7, 200):
        for seconds in (10, 86_400):
            for row in timeline.rows():
                bar = drawn(row, seconds, width)
                assert len(bar) == width
                assert bar.strip(".")


def test_rows_are_told_one_event_at_a_time() -> None:
    timeline = Timeline()
    assert (timeline.start, timeline.rows()) == (None, [])
    for event in history(STARTED, (1, "TimerScheduled", {"seq": 1}), (2, "TimerFired", {"seq": 1})):
        timeline.add(event)
    (row,) = timeline.rows()
    assert [span.kind for span in row.spans] == [SpanKind.WAITING]
    assert row.end == at(2)

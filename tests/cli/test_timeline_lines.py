"""The timeline of `sched workflow show`, for fixed data at a fixed time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sched_cli.render.cells import cut_middle
from sched_cli.render.timeline import timeline_lines
from sched_cli.timeline import Timeline
from tests.cli.test_rendering import description
from tests.cli.test_timeline import STARTED, at, history


def drawn(timeline: Timeline, seconds: float, width: int = 60) -> list[str]:
    return [line.plain for line in timeline_lines(timeline, description(), at(seconds), width)]


def test_a_picture_of_everything() -> None:
    hour = timedelta(hours=1)
    timeline = Timeline(
        history(
            STARTED,
            (0, "ActivityScheduled", {"seq": 1, "name": "charge"}),
            (2, "ActivityRetryScheduled", {"seq": 1, "attempt": 1, "next_attempt_time": at(4)}),
            (5, "ActivityCompleted", {"seq": 1, "summary": {"attempts": 2, "started_time": at(4)}}),
            (5, "SignalReceived", {"name": "approve"}),
            (5, "ActivityScheduled", {"seq": 2, "name": "refund"}),
            (7, "ActivityFailed", {"seq": 2}),
            (7, "TimerScheduled", {"seq": 3, "duration": hour, "due_time": at(3_607)}),
            (8, "ActivityScheduled", {"seq": 4, "name": "ship"}),
            (9, "ActivityRetryScheduled", {"seq": 4, "attempt": 1, "next_attempt_time": at(14)}),
        )
    )
    assert drawn(timeline, 10) == [
        "         0                   +10 s",
        "charge   ✗✗✗✗✗░░░░░███              5 s, 2 attempts",
        "approve              ◆              signal",
        "refund               ✗✗✗✗✗✗         2 s failed",
        "timer                     ░░░░░░░░  1 h, due in 59 m 57 s",
        "ship                         ✗✗✗░░  try 2 in 4 s",
    ]


@pytest.mark.parametrize("width", [80, 120, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = "an_activity_with_a_name_that_nobody_would_call_short"
    events = [(float(n), "ActivityScheduled", {"seq": n, "name": f"{long}_{n}"}) for n in range(9)]
    assert max(map(len, drawn(Timeline(history(STARTED, *events)), 3_600, width))) <= width


def test_of_many_rows_the_open_and_the_newest_are_shown() -> None:
    events = [(0.0, "ActivityScheduled", {"seq": 999, "name": "open"})]
    events += [(float(n), "SignalReceived", {"name": f"s{n}"}) for n in range(1, 40)]
    lines = drawn(Timeline(history(STARTED, *events)), 60)
    assert lines[1].startswith("open ")
    assert lines[2].startswith("s21 ")
    assert lines[-2].startswith("s39 ")
    assert lines[-1] == "20 more rows: sched workflow history wf-1a2b"


def test_a_run_of_which_there_is_nothing_to_draw() -> None:
    assert drawn(Timeline(history(STARTED)), 60) == []
    assert drawn(Timeline(), 60) == []


def test_names_are_cut_in_the_middle() -> None:
    assert cut_middle("reserve_stock_in_warehouse", 11) == "reser…house"
    assert cut_middle("short", 11) == "short"
    assert cut_middle("abcdef", 2) == "ab"

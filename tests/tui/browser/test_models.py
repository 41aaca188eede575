"""What the browser shows, without a terminal."""

from __future__ import annotations

import dataclasses
import random
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from sched_cli.tui.browser.model.filters import Filter, FilterError, parse_filter
from sched_cli.tui.browser.model.folding import Folding
from sched_cli.tui.browser.model.rates import Rates
from sched_cli.tui.browser.model.run_list import SORTS, RunList, key_of
from sched_cli.tui.browser.model.statuses import STATUSES
from sched_cli.tui.browser.model.timeline import Timeline
from sched_cli.tui.palette import DARK, LIGHT, Palette
from sched_sdk._client.models import Event, LatencyTotal, WorkflowCount, WorkflowStatus
from tests.tui.browser.legibility import LEAST_CONTRAST, contrast
from tests.tui.browser.recording import recorded

if TYPE_CHECKING:
    from sched_sdk._client.models import WorkflowInfo

RECORDED = recorded()
NOW = RECORDED.now
GROUNDS = ("ground", "surface", "panel", "cursor", "cursor_away", "marked")


# -- the filter line ------------------------------------------------------------------------


def test_a_line_means_what_the_options_of_the_command_mean() -> None:
    found = parse_filter('type:Order queue:"my mail" build:4f2a status:failed,timed-out order-')
    assert found.arguments() == {
        "status": ["FAILED", "TIMED_OUT"],
        "workflow_type": "Order",
        "task_queue": "my mail",
        "id_prefix": "order-",
        "build_id": "4f2a",
    }
    assert parse_filter(found.text, found.statuses) == found


def test_statuses_of_the_tabs_stay_unless_the_line_names_some() -> None:
    running = frozenset({"RUNNING"})
    assert parse_filter("a", running).statuses == running
    assert parse_filter("status:comp", running).statuses == {"COMPLETED"}
    assert Filter().arguments() == dict.fromkeys(Filter().arguments())


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("typ:Order", "did you mean type:"),
        ("status:broken", "none of running"),
        ("type:", "type:Order"),
        ("type:A type:B", "twice"),
        ("a b", "twice"),
        ('type:"A', "quotation mark"),
    ],
)
def test_what_is_no_filter_says_why(line: str, problem: str) -> None:
    with pytest.raises(FilterError, match=problem):
        parse_filter(line)


def test_every_status_has_a_look() -> None:
    assert set(STATUSES) == {status.value for status in WorkflowStatus}


# -- the list of runs -----------------------------------------------------------------------


def run_of(number: int, **changes: Any) -> WorkflowInfo:
    """Runs begin a second apart; a higher number is newer."""
    base = {
        "workflow_id": f"wf-{number:05d}",
        "run_id": f"run-{number}",
        "start_time": NOW + timedelta(seconds=number),
    }
    return dataclasses.replace(RECORDED.runs[0], **(base | changes))


def newest_first(*numbers: int) -> list[WorkflowInfo]:
    return [run_of(number) for number in numbers]


def ids(runs: RunList) -> list[int]:
    return [int(runs[position].run_id.split("-")[1]) for position in range(len(runs))]


def test_a_page_is_the_truth_about_its_window() -> None:
    runs = RunList()
    runs.take_page(newest_first(9, 8, 7), before=None, last=False, now=NOW)
    runs.take_page(newest_first(7, 6, 5), before=run_of(8).start_time, last=False, now=NOW)
    runs.take_page(newest_first(4, 3), before=run_of(5).start_time, last=True, now=NOW)
    assert ids(runs) == [9, 8, 7, 6, 5, 4, 3]
    assert runs.complete
    runs.marked = {key_of(run_of(8)), key_of(run_of(4))}
    # 10 has begun; 8 has left the filter.
    runs.take_page(newest_first(10, 9, 7), before=None, last=False, now=NOW)
    assert ids(runs) == [10, 9, 7, 6, 5, 4, 3]
    assert runs.marked == {key_of(run_of(4))}, "what is not listed is not acted on"
    closed = run_of(5, status=WorkflowStatus.COMPLETED)
    runs.take_page([run_of(6), closed], before=run_of(7).start_time, last=False, now=NOW)
    assert runs[4].status is WorkflowStatus.COMPLETED
    assert ids(runs) == [10, 9, 7, 6, 5, 4, 3]


def test_a_gap_behind_the_newest_page_is_noticed() -> None:
    runs = RunList()
    runs.take_page(newest_first(3, 2, 1), before=None, last=True, now=NOW)
    assert runs.overlaps(newest_first(5, 4, 3))
    assert not runs.overlaps(newest_first(9, 8))


@pytest.mark.parametrize("sort", [sort for sort in SORTS if sort != "newest"])
def test_every_order_shows_every_run_where_its_position_says(sort: str) -> None:
    runs = RunList()
    runs.take_page(RECORDED.runs, before=None, last=True, now=NOW)
    runs.sort_by(sort, NOW)
    order = SORTS[sort]
    assert order is not None
    shown = [runs[position] for position in range(len(runs))]
    keys: list[Any] = [order(run, NOW) for run in shown]
    assert all(before <= after for before, after in pairwise(keys))
    assert {key_of(run) for run in shown} == {key_of(run) for run in RECORDED.runs}
    assert [runs.position(key_of(run)) for run in shown] == list(range(len(shown)))


# -- folding --------------------------------------------------------------------------------


def events_of(*kinds: str) -> list[Event]:
    raw = RECORDED._events[0].raw
    return [
        Event(event_id=n, type=kind, time=NOW, attributes={}, raw=raw)
        for n, kind in enumerate(kinds, start=1)
    ]


def spans(folding: Folding) -> list[tuple[int, int, int]]:
    return [(line.first, line.last, line.times) for line in folding.lines]


def test_what_repeats_is_one_line_that_can_be_opened_and_closed() -> None:
    folding = Folding()
    folding.extend(events_of("A", *["B", "C"] * 3, "WorkflowTaskCompleted", "D"))
    assert spans(folding) == [(0, 0, 1), (1, 6, 3), (8, 8, 1)]
    assert folding.hidden == 1
    folding.toggle(folding.lines[1])
    assert [line.first for line in folding.lines] == [0, 1, 2, 3, 4, 5, 6, 8]
    assert folding.line_of(4) == 4
    folding.toggle(folding.lines[3])
    assert spans(folding) == [(0, 0, 1), (1, 6, 3), (8, 8, 1)]
    folding.set_folded(False)
    assert len(folding.lines) == 9


def test_events_one_by_one_fold_as_all_at_once() -> None:
    chance = random.Random(5)
    for _ in range(200):
        kinds = chance.choices("ABC", weights=(6, 3, 1), k=chance.randint(1, 60))
        at_once, by_parts = Folding(), Folding()
        events = events_of(*kinds)
        at_once.extend(events)
        while events:
            part = chance.randint(1, 5)
            by_parts.extend(events[:part])
            events = events[part:]
        assert by_parts.lines == at_once.lines, kinds


# -- the timeline ---------------------------------------------------------------------------


def test_the_timeline_of_a_recorded_run() -> None:
    timeline = Timeline()
    timeline.extend(RECORDED._events)
    kinds = [(row.kind, row.name, row.state) for row in timeline.rows]
    assert kinds[:4] == [
        ("workflow", "Order", "running"),
        ("activity", "charge", "done"),
        ("step", "fee", "done"),
        ("timer", "1.5 s", "done"),
    ]
    assert ("signal", "remind", "happened") in kinds
    reserve = next(row for row in timeline.rows if row.name == "reserve")
    assert (reserve.state, reserve.end) == ("retrying", None)
    assert "no route to warehouse" in reserve.note
    timeline.take_pending(RECORDED._described.activities)
    assert reserve.attempts == RECORDED._described.activities[0].attempt
    assert reserve.words(NOW).startswith("retry in ")
    for row in timeline.rows:
        assert RECORDED._events[row.position].time >= row.start


def test_the_end_of_a_run_ends_what_was_going_on() -> None:
    timeline = Timeline()
    timeline.extend(RECORDED._events)
    end = NOW + timedelta(minutes=1)
    closing = dataclasses.replace(RECORDED._events[-1], type="WorkflowTerminated", time=end)
    timeline.extend([closing])
    assert timeline.end(NOW + timedelta(days=1)) == end
    assert timeline.rows[0].state == "failed"
    assert all(row.end is not None for row in timeline.rows)


# -- rates and colours ----------------------------------------------------------------------


async def test_rates_are_the_growth_between_looks() -> None:
    rates, status = Rates(), await RECORDED.cluster_status()
    for second, (total, running) in enumerate([(100, 10), (150, 30), (150, 20)]):
        count = WorkflowCount(total=total, by_status={WorkflowStatus.RUNNING: running})
        rates.take(NOW + timedelta(seconds=2 * second), status, count)
    assert rates.per_second("started") == [25.0, 0.0]
    assert rates.per_second("closed") == [15.0, 5.0]
    assert rates.values("open") == [10.0, 30.0, 20.0]


async def test_latencies_are_the_mean_of_what_came_between_looks() -> None:
    rates, status = Rates(), await RECORDED.cluster_status()
    count = WorkflowCount(total=1, by_status={})
    # A busy second, an idle one, an engine that does not say, and another engine twice.
    looks = [(10, 5), (30, 45), (30, 45), None, (4, 9), (2, 1)]
    for second, look in enumerate(looks):
        total = look and LatencyTotal(count=look[0], total=timedelta(milliseconds=look[1]))
        told = dataclasses.replace(status, commit_latency=total)
        rates.take(NOW + timedelta(seconds=second), told, count)
    assert rates.mean_ms("commit") == [2.0, 0.0, 0.0, 0.0, 0.0]
    assert rates.mean_ms("dispatch") == [0.0] * 5


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
@pytest.mark.parametrize(
    "ground", ["ground", "surface", "panel", "cursor", "cursor_away", "marked"]
)
def test_every_text_can_be_read_on_every_ground(palette: Palette, ground: str) -> None:
    for role in ("text", "dim", "run", "good", "bad", "warn", "accent"):
        ratio = contrast(rgb(palette.of(role)), rgb(palette.of(ground)))
        assert ratio >= LEAST_CONTRAST, f"{role} on {ground}: {ratio:.1f}"

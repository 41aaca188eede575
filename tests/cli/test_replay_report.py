"""The text of the report: notes, marks at lines, long and odd content."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sched_cli.render.divergence import LocalCode, divergence_report
from sched_cli.render.source_lines import Mark, source_parts
from sched_sdk._debug import (
    AgreedCommand,
    Divergence,
    Frame,
    Outcome,
    Raised,
    Replay,
    Side,
    Variable,
    Waiting,
)

CODE = [f"line {number}" for number in range(1, 41)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("\n".join(CODE) + "\n")


DIVERGENCE = Divergence(
    event_id=7,
    message="history event 7 is …",
    recorded=Side(what="timer 60 s", call_site="app.py:10"),
    current=Side(what="activity ship", call_site="app.py:12", arguments=("A-1", {"a": 1})),
    raised=None,
    agreed=(
        AgreedCommand(
            event_id=3,
            what="step reserve",
            recorded_call_site="app.py:8",
            current_call_site="app.py:9",
        ),
    ),
    frames=(
        Frame(
            function="order",
            call_site="app.py:12",
            file="app.py",
            line=12,
            variables=(Variable(name="items", value="[" + "'tea', " * 40 + "]"),),
        ),
    ),
    waits=(),
    reset_event_id=5,
    recorded_build_id="b1",
    unstable=False,
)
REPLAY = Replay(
    workflow_id="order-1",
    run_id="r",
    workflow_type="Order",
    events=15,
    segments=2,
    seconds=0.001,
    closed=False,
    redacted=False,
    outcome=Outcome.DIVERGES,
    divergence=DIVERGENCE,
    differences=(),
    difference_count=0,
    not_comparable=0,
)


def report(divergence: Divergence = DIVERGENCE, replay: Replay = REPLAY, build: str = "b2") -> str:
    console = Console(file=io.StringIO(), width=80, emoji=False, highlight=False)
    for part in divergence_report(replay, divergence, LocalCode(build)):
        no_wrap = getattr(part, "no_wrap", None)
        console.print(part, no_wrap=no_wrap, overflow=getattr(part, "overflow", None))
    file = console.file
    assert isinstance(file, io.StringIO)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_both_marks_share_an_excerpt_when_they_are_near() -> None:
    text = report()
    assert text.count("app.py as it is now (recorded by another build)") == 1
    assert "  history 10  line 10\n" in text
    assert "  code    12  line 12\n" in text
    assert "           7  line 7\n" in text
    assert "line 16" not in text


def test_marks_far_apart_have_excerpts_of_their_own() -> None:
    text = report(replace(DIVERGENCE, current=Side(what="timer 1 s", call_site="app.py:30")))
    assert "line 13\n" in text
    assert "line 20\n" not in text
    assert "line 27\n" in text


def test_a_line_that_moved_is_shown_where_it_is_now() -> None:
    recorded = replace(DIVERGENCE.recorded, call_site_now="app.py:11")
    text = report(replace(DIVERGENCE, recorded=recorded))
    assert "app.py:10, by now app.py:11" in text
    assert "  history 11  line 11\n" in text
    assert "event 3  step reserve  app.py:8, now app.py:9" in text


def test_a_line_that_is_gone_is_said_to_be_gone() -> None:
    recorded = replace(DIVERGENCE.recorded, call_site="old.py:10")
    assert "old.py:10: there is no such line any more." in report(
        replace(DIVERGENCE, recorded=recorded)
    )


def test_long_values_are_cut() -> None:
    assert "  items  ['tea', 'tea'" in report()
    long = Side(what="activity ship", call_site="app.py:12", arguments=("x" * 500,))
    assert "…)" in report(replace(DIVERGENCE, current=long))


def test_what_is_not_an_edit_is_noted() -> None:
    assert "The same build recorded this history" in report(build="b1")
    assert "The same build" not in report()
    assert "A second replay of this code went otherwise" in report(
        replace(DIVERGENCE, unstable=True)
    )
    assert "redacted" in report(replay=replace(REPLAY, redacted=True))


def test_code_that_waits() -> None:
    signal = {"kind": "signal", "name": "packed", "since": "", "until": None}
    both = {"kind": "all", "of": [signal, {"kind": "future"}], "more": 0}
    waits = (
        Waiting(task="workflow", call_site="app.py:12", function="order", waits_on=both),
        Waiting(task="task-4", call_site="", function="task-4", waits_on=None),
    )
    text = report(replace(DIVERGENCE, current=Side(what="", call_site="app.py:12"), waits=waits))
    assert "nothing at this point" in text
    assert "waits at app.py:12" in text
    assert "  in order, app.py:12, for signal packed, future\n  in task-4, in a library\n" in text


def test_an_exception_and_its_ways_out() -> None:
    raised = Raised(type="ValueError", message="no tea\nat all", traceback="")
    text = report(replace(DIVERGENCE, raised=raised))
    assert "raises ValueError: no tea at all" in text
    assert "mend the code" in text
    assert "sched workflow reset order-1 --to divergence" in text


def test_behind_the_last_event() -> None:
    assert "behind event 15, the last" in report(replace(DIVERGENCE, event_id=16))


def test_without_any_place_there_is_no_excerpt() -> None:
    assert list(source_parts([], changed=False)) == []
    assert list(source_parts([Mark("code", "?", "red")], changed=False))
    nothing = Side(what="completion of the workflow")
    text = report(replace(DIVERGENCE, recorded=nothing, current=nothing, frames=(), agreed=()))
    assert "app.py" not in text

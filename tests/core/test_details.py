"""What a workflow says it is doing: in a segment where it is news, and in the state."""

from __future__ import annotations

import pytest

from sched_server.codec import decode_event
from sched_server.core import events as e
from sched_server.core import evolve
from sched_server.core.decision import Decision, Verdict
from sched_server.core.state import ExecutionState

from .scenario import activity, completed, started, step


def said(decision: Decision) -> str | None:
    event = decision.events[0]
    assert isinstance(event, e.WorkflowTaskCompleted)
    return event.details


def test_only_another_text_is_recorded() -> None:
    run = started()

    assert said(run.segment(step(1), more=True, details="packing")) == "packing"
    assert said(run.segment(step(2), more=True)) is None
    assert said(run.segment(step(3), more=True, details="packing")) is None
    assert run.state.details == "packing"
    assert said(run.segment(step(4), more=True, details="sent")) == "sent"
    assert run.state.details == "sent"


def test_an_empty_text_clears() -> None:
    run = started()
    assert said(run.segment(step(1), more=True, details="")) is None
    run.segment(step(2), more=True, details="packing")

    assert said(run.segment(step(3), more=True, details="")) == ""
    assert run.state.details == ""


def test_it_stays_when_the_run_closes() -> None:
    run = started()
    run.segment(completed(), details="all sent")
    assert run.state.details == "all sent"


@pytest.mark.parametrize("commands", [(), (activity(1), step(2))])
def test_a_close_that_is_refused_says_nothing(commands: tuple[object, ...]) -> None:
    """What is cut off may have said it; the code comes to it again."""
    run = started()
    run.segment(step(9), more=True, details="packing")
    run.signal()

    decision = run.segment(*commands, completed(), seen=run.state.seen, details="all sent")  # type: ignore[arg-type]

    assert decision.verdict is Verdict.CLOSE_REFUSED
    assert run.state.details == "packing"
    assert not decision.events or said(decision) is None


@pytest.mark.parametrize("change", [{"base": 77}, {"seen": 99}])
def test_a_segment_that_is_not_taken_says_nothing(change: dict[str, int]) -> None:
    run = started()
    decision = run.segment(step(1), details="packing", **change)
    assert decision.verdict in (Verdict.STALE, Verdict.INVALID)
    assert run.state.details == ""


def test_the_first_events_of_a_history_have_what_was_said_then() -> None:
    run = started()
    run.segment(step(1), more=True, details="packing")
    run.segment(step(2), more=True, details="sent")
    state = ExecutionState()

    for data in run.stored[:3]:
        evolve(state, decode_event(data))

    assert state.details == "packing"

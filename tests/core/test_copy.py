"""A run that begins with the first events of another one."""

from __future__ import annotations

import pytest

from sched_server.core import decide, evolve, put_record
from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.deciders.copy import before_first_task, before_last_task, cut
from sched_server.core.decision import (
    DispatchActivity,
    DispatchWorkflowTask,
    Rejection,
    SetTimer,
)
from sched_server.core.state import ExecutionState, TaskPhase
from sched_server.core.values import HistoryOrigin, Payload, Status, TimerKind

from .scenario import SECOND, T0, activity, completed, started, step

NAMES = {kind.__name__: number for kind, number in e.EVENT_TYPES.items()}

# 1 started, 2-4 a segment, 5 an activity ends, 6 a signal, 7-9 a segment, 10 a timer, 11-12 closes
TYPES = [
    NAMES[name]
    for name in (
        "WorkflowStarted",
        "WorkflowTaskCompleted",
        "ActivityScheduled",
        "MarkerRecorded",
        "ActivityCompleted",
        "SignalReceived",
        "WorkflowTaskCompleted",
        "StepCompleted",
        "TimerScheduled",
        "TimerFired",
        "WorkflowTaskCompleted",
        "WorkflowCompleted",
    )
]


def test_the_cut_never_lies_inside_a_segment() -> None:
    kept = {event_id: cut(TYPES, event_id) for event_id in range(1, len(TYPES) + 1)}

    assert kept == {1: 1, 2: 1, 3: 1, 4: 4, 5: 5, 6: 6, 7: 6, 8: 6, 9: 9, 10: 10, 11: 10, 12: 10}


def test_an_end_from_outside_is_never_kept() -> None:
    types = [*TYPES[:6], NAMES["WorkflowTerminated"]]

    assert cut(types, 7) == 6
    assert cut(types, 6) == 6


def test_a_segment_without_commands_is_kept_whole() -> None:
    types = [NAMES["WorkflowStarted"], NAMES["WorkflowTaskCompleted"], NAMES["SignalReceived"]]

    assert cut(types, 2) == 2


@pytest.mark.parametrize("event_id", [-1, 0, 13])
def test_an_event_that_is_not_there_is_refused(event_id: int) -> None:
    with pytest.raises(Rejection, match="not in the history, which has events 1 to 12"):
        cut(TYPES, event_id)


def test_the_points_that_have_a_name() -> None:
    assert before_first_task(TYPES) == 1
    assert before_last_task(TYPES) == 10
    assert before_first_task(TYPES[:1]) == 1
    assert before_last_task(TYPES[:1]) == 1


def copied(source: list[e.Event], **origin: int) -> ExecutionState:
    """The fold of a source's events under the ids of a copy."""
    state = ExecutionState()
    first, *others = source
    assert isinstance(first.attributes, e.WorkflowStarted)
    begun = {"event_id": len(source), "signals": 0, "time_us": T0 + 100 * SECOND} | origin
    attributes = e.WorkflowStarted(
        **{name: getattr(first.attributes, name) for name in first.attributes.__struct_fields__}
        | {"run_id": "copy", "origin": HistoryOrigin(workflow_id="wf", run_id="run", **begun)}
    )
    for event in [e.Event(first.event_id, first.time_us, attributes), *others]:
        evolve(state, event)
    return state


def test_what_was_pending_is_pending_again() -> None:
    run = started(execution_timeout_us=60 * SECOND)
    run.segment(
        activity(1, schedule_to_close_us=9 * SECOND, schedule_to_start_us=5 * SECOND),
        i.StartTimer(seq=2, duration_us=3 * SECOND),
    )
    state = copied(run.history())
    now = T0 + 100 * SECOND

    decision = decide(state, i.ResumeCopy(), now)

    due = run.state.timers[2].due_us
    assert decision.effects == [
        SetTimer(TimerKind.EXECUTION_TIMEOUT, 0, now + 60 * SECOND),
        SetTimer(TimerKind.USER, 2, due),
        SetTimer(TimerKind.SCHEDULE_TO_CLOSE, 1, now + 9 * SECOND),
        SetTimer(TimerKind.SCHEDULE_TO_START, 1, now + 5 * SECOND),
        DispatchActivity(1),
        DispatchWorkflowTask(),
    ], "time limits count from the copy; a date that has passed is not waited for again"
    assert decision.events == []


def test_signals_come_behind_the_copied_events_once() -> None:
    run = started()
    run.segment(activity(1))
    state = copied(run.history(), signals=1)
    late = e.SignalReceived(name="go", input=(Payload("json", b"1"),), request_id="r1", identity="")
    decision = decide(state, i.ResumeCopy(signals=(late,)), T0 + 100 * SECOND)

    for attributes in decision.events:
        evolve(state, e.Event(state.last_event_id + 1, T0 + 100 * SECOND, attributes))
    for record in decision.records:
        put_record(state, record)

    assert state.status is Status.RUNNING
    assert state.task.phase is TaskPhase.SCHEDULED
    assert state.unseen_signals == [state.last_event_id]
    again = i.SignalWorkflow(name="go", request_id="r1")
    assert not decide(state, again, T0 + 101 * SECOND).changes, "the request is known"


def test_the_code_goes_on_where_the_copied_segments_end() -> None:
    run = started()
    run.segment(step(1), activity(2))
    state = copied(run.history())
    decision = decide(state, i.ResumeCopy(), T0 + 100 * SECOND)
    for record in decision.records:
        put_record(state, record)

    answer = i.CompleteSegment(base=state.base, seen=state.last_event_id, commands=(completed(),))

    assert [type(x) for x in decide(state, answer, T0 + 101 * SECOND).events] == [
        e.WorkflowTaskCompleted,
        e.WorkflowCompleted,
    ]

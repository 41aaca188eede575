"""A worker's answers to workflow tasks."""

from __future__ import annotations

from sched_server.core import events as e
from sched_server.core import inputs as i
from sched_server.core.decision import (
    ClearTimer,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    Verdict,
)
from sched_server.core.limits import Limits
from sched_server.core.state import IDLE_TASK, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import Failure, Payload, Status, TaskFailureCause, TimerKind

from .scenario import (
    BOOM,
    IDENTITY,
    RESULT,
    SECOND,
    T0,
    activity,
    completed,
    started,
    step,
    with_activity,
)

# ---------------------------------------------------------------- accepted


def test_a_segment_is_one_event_and_one_per_command() -> None:
    run = started()

    decision = run.segment(
        step(1, call_site="app.py:3"),
        i.StartTimer(seq=2, duration_us=SECOND, call_site="app.py:4"),
        segment_id=99,
        build_id="b1",
        sdk="py/1",
        sdk_flags=(1, 2),
    )

    assert decision.verdict is Verdict.ACCEPTED
    assert decision.events == [
        e.WorkflowTaskCompleted(
            seen=1,
            more=False,
            base=0,
            segment_id=99,
            identity=IDENTITY,
            build_id="b1",
            sdk="py/1",
            sdk_flags=(1, 2),
        ),
        e.StepCompleted(
            seq=1,
            name="charge",
            result=RESULT,
            attempt=1,
            deferred=False,
            duration_us=0,
            call_site="app.py:3",
        ),
        e.TimerScheduled(seq=2, duration_us=SECOND, due_time_us=T0 + SECOND, call_site="app.py:4"),
    ]
    assert run.state.task == IDLE_TASK
    assert run.state.base == 2
    assert run.state.seen == 1
    assert run.state.last_seq == 2
    assert run.state.unseen == []


def test_with_more_the_worker_keeps_the_task() -> None:
    run = started()

    decision = run.segment(step(1), more=True)

    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=T0)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == []
    assert run.segment(step(2), more=True).verdict is Verdict.ACCEPTED
    assert run.segment(completed()).verdict is Verdict.ACCEPTED
    assert run.state.status is Status.COMPLETED


def test_with_more_a_troubled_task_counts_as_sound_again() -> None:
    run = started()
    run.do(i.LoseWorkflowTask(identity=IDENTITY))
    assert run.state.task.attempt == 2

    run.segment(step(1), more=True)

    assert run.state.task == WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=T0)


def test_events_that_the_segment_has_not_seen_open_a_new_task() -> None:
    run = started()
    run.wait(SECOND).signal()

    decision = run.segment(i.StartTimer(seq=1, duration_us=SECOND), seen=1)

    record = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=run.now)
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects[-1] == DispatchWorkflowTask()
    assert run.state.unseen == [2]
    assert run.state.unseen_signals == [2]


def test_events_that_the_segment_has_seen_open_no_new_task() -> None:
    run = started()
    run.signal()

    decision = run.segment()

    assert decision.records == []
    assert decision.effects == []
    assert run.state.unseen == []


def test_an_answer_to_a_task_in_backoff_is_still_welcome() -> None:
    run = started()
    run.do(i.FailWorkflowTask(base=0, cause=2, failure=BOOM))

    decision = run.segment()

    assert decision.verdict is Verdict.ACCEPTED
    assert decision.effects == [ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0)]
    assert run.state.task == IDLE_TASK


def test_workflows_end_completed_failed_or_canceled() -> None:
    for command, event, status in (
        (completed(), e.WorkflowCompleted(result=RESULT), Status.COMPLETED),
        (i.FailWorkflow(failure=BOOM), e.WorkflowFailed(failure=BOOM), Status.FAILED),
        (
            i.CancelWorkflowExecution(failure=BOOM),
            e.WorkflowCanceled(failure=BOOM),
            Status.CANCELED,
        ),
    ):
        run = started()

        decision = run.segment(command)

        assert decision.events[1:] == [event]
        assert decision.records == []
        assert run.state.status is status
        assert run.state.outcome == event
        assert run.state.task == IDLE_TASK


# ---------------------------------------------------------------- not taken


def test_a_segment_on_an_older_base_is_stale() -> None:
    run = started()
    run.segment(step(1))
    run.signal()

    decision = run.segment(step(2), base=0)

    assert decision.verdict is Verdict.STALE
    assert not decision.changes


def test_a_segment_without_a_task_is_stale() -> None:
    run = started()
    run.segment()

    assert run.segment(step(1)).verdict is Verdict.STALE


def test_a_segment_of_a_closed_run_is_stale() -> None:
    run = started()
    run.do(i.TerminateWorkflow())

    assert run.segment(completed()).verdict is Verdict.STALE


def test_an_exact_resend_is_acknowledged_and_not_repeated() -> None:
    run = started()
    request = run.segment_request(step(1))
    run.do(request)

    again = run.do(request)

    assert again.verdict is Verdict.DUPLICATE
    assert not again.changes
    assert again.effects == []


def test_an_exact_resend_of_the_close_is_acknowledged() -> None:
    run = started()
    request = run.segment_request(completed())
    run.do(request)

    assert run.do(request).verdict is Verdict.DUPLICATE


def test_a_segment_cannot_have_seen_what_is_not_there() -> None:
    run = started()

    decision = run.segment(seen=2)

    assert decision.verdict is Verdict.INVALID
    assert decision.message == (
        "the segment says it has seen event 2, but this task stands between events 0 and 1"
    )


def test_a_segment_cannot_have_seen_less_than_the_one_before() -> None:
    run = started()
    run.segment(step(1), more=True)

    decision = run.segment(step(2), seen=0)

    assert decision.verdict is Verdict.INVALID
    assert "between events 1 and 3" in decision.message


def test_an_invalid_segment_fails_the_task_whole() -> None:
    run = started()

    decision = run.segment(step(1), completed(), step(2), build_id="b1")

    message = "CompleteWorkflow is not the last command of its segment"
    failure = Failure(type="INVALID_COMMAND", message=message)
    cause = int(TaskFailureCause.INVALID_COMMAND)
    assert decision.verdict is Verdict.INVALID
    assert decision.message == message
    assert decision.events == [
        e.WorkflowTaskFailed(cause=cause, failure=failure, identity=IDENTITY, build_id="b1")
    ]
    record = WorkflowTaskRecord(
        phase=TaskPhase.BACKOFF,
        attempt=2,
        ready_since_us=T0,
        due_us=T0 + SECOND,
        failure_cause=cause,
        failure=failure,
        failed_build="b1",
    )
    assert decision.records == [PutTaskRecord(record)]
    assert decision.effects == [SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, T0 + SECOND)]


def test_an_invalid_segment_in_backoff_is_only_stale() -> None:
    run = started()
    run.do(i.FailWorkflowTask(base=0, cause=2, failure=BOOM))

    decision = run.segment(seen=1_000)

    assert decision.verdict is Verdict.STALE
    assert not decision.changes


def test_what_makes_a_segment_invalid() -> None:
    cases = (
        ((activity(2), step(2)), "RecordStep: number 2 is used twice"),
        ((activity(0),), "ScheduleActivity: number 0; numbers begin with 1"),
        ((i.StartTimer(seq=1, duration_us=1),), "StartTimer: number 1 is taken"),
        (
            (i.RecordMarker(kind=9, id="x"),),
            "RecordMarker: this engine knows no kind 9; upgrade it",
        ),
        ((i.RecordMarker(kind=1, id=""),), "RecordMarker: the id is missing"),
        ((completed(), i.FailWorkflow(failure=BOOM)), "CompleteWorkflow is not the last command"),
    )
    for commands, message in cases:
        run = with_activity()
        run.signal()
        decision = run.segment(*commands)
        assert decision.verdict is Verdict.INVALID
        assert decision.message.startswith(message)


def test_a_close_cannot_announce_another_segment() -> None:
    decision = started().segment(completed(), more=True)

    assert decision.message == "CompleteWorkflow in a segment that announces another"


# ---------------------------------------------------------------- limits


def test_too_many_pending_activities_fail_the_task_and_say_what_to_do() -> None:
    run = started(Limits(pending_activities=2))
    run.segment(activity(1))
    run.signal()

    decision = run.segment(activity(2), activity(3))

    assert decision.verdict is Verdict.INVALID
    assert decision.message == (
        "3 pending activities, the limit is 2; await some of them before queueing more"
    )
    assert run.state.task.failure_cause == TaskFailureCause.LIMIT_EXCEEDED
    assert set(run.state.activities) == {1}


def test_a_limit_does_not_stop_a_workflow_that_adds_nothing() -> None:
    run = started(Limits(pending_activities=1))
    run.segment(activity(1))
    run.limits = Limits(pending_activities=0)
    run.signal()

    assert run.segment(step(2)).verdict is Verdict.ACCEPTED


def test_too_many_pending_timers_fail_the_task() -> None:
    run = started(Limits(pending_timers=1))

    decision = run.segment(
        i.StartTimer(seq=1, duration_us=SECOND), i.StartTimer(seq=2, duration_us=SECOND)
    )

    assert decision.message == (
        "2 pending timers, the limit is 1; await some of them before starting more"
    )


def test_a_history_over_its_limit_fails_the_task_but_is_recorded_no_further() -> None:
    run = started(Limits(history_events=2))

    decision = run.segment(step(1), step(2))

    assert decision.message.startswith(
        "the history would grow to 4 events, the limit is 2; split the work"
    )
    run.wait(SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)
    again = run.segment(step(1), step(2), step(3))
    assert again.verdict is Verdict.INVALID
    assert again.events == [], "the full history takes no further failure"
    assert run.state.task.attempt == 3


def test_a_history_of_too_many_bytes_takes_no_further_segment_but_may_end() -> None:
    run = started(Limits(history_bytes=1))

    decision = run.segment(step(1))

    assert decision.message.startswith(
        f"the history has {len(run.stored[0])} bytes, the limit is 1; split the work"
    )
    run.wait(SECOND).fire(TimerKind.WORKFLOW_TASK_BACKOFF)
    ending = run.segment(step(1), i.CompleteWorkflow(result=Payload("", b"1")))
    assert ending.verdict is Verdict.ACCEPTED, "ending is always allowed"


def test_activities_and_timers_are_numbered_in_order() -> None:
    run = started()
    run.segment(i.StartTimer(seq=2, duration_us=SECOND))
    run.signal()

    decision = run.segment(i.StartTimer(seq=1, duration_us=SECOND))

    assert decision.verdict is Verdict.INVALID
    assert decision.message == "StartTimer: number 1 comes after 2"

"""A worker's answer to a workflow task: one segment of the history.

A segment is taken only while it builds on the newest one (`base`), whole or
not at all, except that a close which overlooks a signal is cut back to what
the code did before its last activation (see `_refuse_close`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from sched_server.core import events as e
from sched_server.core.decision import (
    ClearTimer,
    Decision,
    DispatchActivity,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    StopAttempt,
    Verdict,
)
from sched_server.core.inputs import (
    CLOSING,
    CancelTimer,
    CancelWorkflowExecution,
    CompleteWorkflow,
    FailWorkflow,
    RecordMarker,
    RecordStep,
    RequestCancelActivity,
    ScheduleActivity,
    StartTimer,
)
from sched_server.core.state import ActivityPhase, TaskPhase, WorkflowTaskRecord
from sched_server.core.values import (
    AttemptSummary,
    Failure,
    FailureKind,
    Status,
    TaskFailureCause,
    TimerKind,
)

from .activity import cancel_unstarted
from .segment_checks import problem_of
from .task import fail_task
from .wake import close, drop_activity_timers, open_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sched_server.core.inputs import Command, CompleteSegment
    from sched_server.core.limits import Limits
    from sched_server.core.state import ExecutionState


def complete(state: ExecutionState, request: CompleteSegment, now: int, limits: Limits) -> Decision:
    closes = bool(request.commands) and type(request.commands[-1]) in CLOSING
    if request.segment_id and request.segment_id == state.segment_id:
        # An exact resend. If it meant to close and the run is open, the close was refused.
        refused = closes and state.status is Status.RUNNING
        return Decision(verdict=Verdict.CLOSE_REFUSED if refused else Verdict.DUPLICATE)
    if (
        state.status is not Status.RUNNING
        or request.base != state.base
        or state.task.phase is TaskPhase.IDLE
    ):
        return Decision(verdict=Verdict.STALE)
    problem = problem_of(state, request, limits)
    if problem is not None:
        cause, message = problem
        return _invalid(state, request, cause, message, now, limits)
    if closes and any(event_id > request.seen for event_id in state.unseen_signals):
        return _refuse_close(state, request, now)
    return _accept(state, request, now, closes=closes)


def _accept(state: ExecutionState, request: CompleteSegment, now: int, *, closes: bool) -> Decision:
    draft = _Draft(state, now)
    commands = request.commands[:-1] if closes else request.commands
    details = None if request.details == state.details else request.details
    draft.decision.events.append(_completed(request, commands, more=request.more, details=details))
    for command in commands:
        _APPLY[type(command)](draft, command)
    decision = draft.decision
    if closes:
        close(state, decision, _terminal(request.commands[-1]))
        draft.forget_new(decision)
        return decision
    decision.events.extend(draft.afterwards)
    if state.task.phase is TaskPhase.BACKOFF:
        decision.effects.append(ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0))
    if request.more:
        decision.records.append(PutTaskRecord(_kept_task(state, now)))
    elif draft.afterwards or any(event_id > request.seen for event_id in state.unseen):
        open_task(decision, now)
    return decision


def _kept_task(state: ExecutionState, now: int) -> WorkflowTaskRecord:
    """The worker keeps the task. A task without troubles keeps its record, too,
    so that a long row of steps does not rewrite the stored row each time."""
    task = state.task
    clean = WorkflowTaskRecord(phase=TaskPhase.SCHEDULED, ready_since_us=task.ready_since_us or now)
    return task if task == clean else clean


def _refuse_close(state: ExecutionState, request: CompleteSegment, now: int) -> Decision:
    """Keep what the code did before its last activation, and the step outcome
    that this activation was about (it has happened); give the task out again."""
    refusals = state.task.close_refusals + 1
    record = WorkflowTaskRecord(
        phase=TaskPhase.SCHEDULED, ready_since_us=now, close_refusals=refusals
    )
    commands = request.commands[:-1]
    last_step = max(
        (i for i, command in enumerate(commands) if type(command) is RecordStep), default=None
    )
    if last_step is None:
        if state.task.phase is TaskPhase.SCHEDULED:
            record = msgspec.structs.replace(state.task, close_refusals=refusals)
        return Decision(
            verdict=Verdict.CLOSE_REFUSED,
            records=[PutTaskRecord(record)],
            effects=[
                ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0),
                DispatchWorkflowTask(),
            ],
        )
    draft = _Draft(state, now)
    decision = draft.decision
    decision.verdict = Verdict.CLOSE_REFUSED
    kept = commands[:last_step]
    # The details are of the end of the segment; replay comes to them again.
    decision.events.append(_completed(request, kept, more=False, details=None))
    for command in kept:
        _APPLY[type(command)](draft, command)
    step = commands[last_step]
    assert type(step) is RecordStep
    decision.events.append(_step_event(step, deferred=True))
    decision.events.extend(draft.afterwards)
    decision.records.append(PutTaskRecord(record))
    decision.effects.append(ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0))
    decision.effects.append(DispatchWorkflowTask())
    return decision


def _invalid(
    state: ExecutionState,
    request: CompleteSegment,
    cause: TaskFailureCause,
    message: str,
    now: int,
    limits: Limits,
) -> Decision:
    if state.task.phase is TaskPhase.BACKOFF:
        return Decision(verdict=Verdict.STALE)
    failure = Failure(kind=FailureKind.APPLICATION, type=cause.name, message=message)
    decision = fail_task(
        state,
        int(cause),
        failure,
        now,
        limits,
        identity=request.identity,
        build_id=request.build_id,
    )
    decision.verdict = Verdict.INVALID
    decision.message = message
    return decision


# ---------------------------------------------------------------- commands


class _Draft:
    """A decision in the making: what the segment itself has scheduled so far
    is not in the state yet."""

    __slots__ = (
        "afterwards",
        "canceled",
        "decision",
        "new_activities",
        "new_timers",
        "now",
        "state",
    )

    def __init__(self, state: ExecutionState, now: int) -> None:
        self.state = state
        self.now = now
        self.decision = Decision()
        self.new_activities: dict[int, ScheduleActivity] = {}
        self.new_timers: set[int] = set()
        self.canceled: set[int] = set()
        """Older activities that this segment has asked to cancel."""
        self.afterwards: list[e.ActivityCanceled] = []
        """Outside events that follow from the commands; they come behind the
        segment, which must stay in one piece."""

    def forget_new(self, decision: Decision) -> None:
        """The run closes: what this segment itself started needs no timers and
        no worker."""
        kept = []
        for effect in decision.effects:
            kind = type(effect)
            new = getattr(effect, "seq", 0) in self.new_activities.keys() | self.new_timers
            if new and kind in (SetTimer, DispatchActivity):
                continue
            kept.append(effect)
        decision.effects = kept


def _schedule_activity(draft: _Draft, command: ScheduleActivity) -> None:
    decision = draft.decision
    decision.events.append(
        e.ActivityScheduled(
            seq=command.seq,
            name=command.name,
            task_queue=command.task_queue or draft.state.task_queue,
            input=command.input,
            retry=command.retry,
            start_to_close_us=command.start_to_close_us,
            schedule_to_close_us=command.schedule_to_close_us,
            schedule_to_start_us=command.schedule_to_start_us,
            heartbeat_timeout_us=command.heartbeat_timeout_us,
            summary=command.summary,
            call_site=command.call_site,
        )
    )
    draft.new_activities[command.seq] = command
    if command.schedule_to_close_us:
        due = draft.now + command.schedule_to_close_us
        decision.effects.append(SetTimer(TimerKind.SCHEDULE_TO_CLOSE, command.seq, due))
    if command.schedule_to_start_us:
        due = draft.now + command.schedule_to_start_us
        decision.effects.append(SetTimer(TimerKind.SCHEDULE_TO_START, command.seq, due))
    decision.effects.append(DispatchActivity(command.seq))


def _cancel_activity(draft: _Draft, command: RequestCancelActivity) -> None:
    seq, decision = command.seq, draft.decision
    new = draft.new_activities.pop(seq, None)
    if new is not None:
        decision.events.append(_cancel_requested(command, moot=False))
        _cancel_new_activity(draft, new)
        return
    activity = draft.state.activities.get(seq)
    if activity is None or activity.cancel_requested or seq in draft.canceled:
        decision.events.append(_cancel_requested(command, moot=True))
        return
    draft.canceled.add(seq)
    decision.events.append(_cancel_requested(command, moot=False))
    resolution = cancel_unstarted(seq, activity)
    if resolution is not None:
        draft.afterwards.append(resolution)
        drop_activity_timers(decision, seq, activity)
    elif activity.record.phase is ActivityPhase.STARTED and activity.record.assignee:
        decision.effects.append(
            StopAttempt(seq, activity.record.dispatch, activity.record.assignee, canceled=True)
        )


def _cancel_new_activity(draft: _Draft, new: ScheduleActivity) -> None:
    """Scheduled and canceled in one segment: it never reaches a worker."""
    failure = Failure(
        kind=FailureKind.CANCELED, type="CanceledError", message="canceled before it was started"
    )
    draft.afterwards.append(
        e.ActivityCanceled(seq=new.seq, failure=failure, summary=AttemptSummary(1, 0, ""))
    )
    draft.decision.effects = [
        effect
        for effect in draft.decision.effects
        if not (
            getattr(effect, "seq", 0) == new.seq and type(effect) in (SetTimer, DispatchActivity)
        )
    ]


def _cancel_requested(command: RequestCancelActivity, *, moot: bool) -> e.ActivityCancelRequested:
    return e.ActivityCancelRequested(seq=command.seq, moot=moot, call_site=command.call_site)


def _start_timer(draft: _Draft, command: StartTimer) -> None:
    due = draft.now + max(command.duration_us, 0)
    draft.new_timers.add(command.seq)
    draft.decision.events.append(
        e.TimerScheduled(
            seq=command.seq,
            duration_us=command.duration_us,
            due_time_us=due,
            call_site=command.call_site,
        )
    )
    draft.decision.effects.append(SetTimer(TimerKind.USER, command.seq, due))


def _cancel_timer(draft: _Draft, command: CancelTimer) -> None:
    seq = command.seq
    pending = seq in draft.new_timers or seq in draft.state.timers
    canceled_twice = any(
        type(event) is e.TimerCanceled and event.seq == seq for event in draft.decision.events
    )
    moot = not pending or canceled_twice
    draft.decision.events.append(e.TimerCanceled(seq=seq, moot=moot, call_site=command.call_site))
    if not moot:
        draft.decision.effects.append(ClearTimer(TimerKind.USER, seq))


def _record_step(draft: _Draft, command: RecordStep) -> None:
    draft.decision.events.append(_step_event(command, deferred=False))


def _record_marker(draft: _Draft, command: RecordMarker) -> None:
    draft.decision.events.append(
        e.MarkerRecorded(kind=command.kind, id=command.id, call_site=command.call_site)
    )


_APPLY: dict[type, Callable[[_Draft, Any], None]] = {
    ScheduleActivity: _schedule_activity,
    RequestCancelActivity: _cancel_activity,
    StartTimer: _start_timer,
    CancelTimer: _cancel_timer,
    RecordStep: _record_step,
    RecordMarker: _record_marker,
}


# ---------------------------------------------------------------- events


def _completed(
    request: CompleteSegment, commands: Sequence[Command], *, more: bool, details: str | None
) -> e.WorkflowTaskCompleted:
    return e.WorkflowTaskCompleted(
        seen=request.seen,
        more=more,
        base=request.base,
        segment_id=request.segment_id,
        identity=request.identity,
        build_id=request.build_id,
        sdk=request.sdk,
        sdk_flags=request.sdk_flags,
        patches=tuple([c.id for c in commands if type(c) is RecordMarker]),
        details=details,
    )


def _step_event(command: RecordStep, *, deferred: bool) -> e.StepCompleted | e.StepFailed:
    if command.result is not None:
        return e.StepCompleted(
            seq=command.seq,
            name=command.name,
            result=command.result,
            attempt=command.attempt,
            deferred=deferred,
            duration_us=command.duration_us,
            call_site=command.call_site,
        )
    assert command.failure is not None
    return e.StepFailed(
        seq=command.seq,
        name=command.name,
        failure=command.failure,
        attempt=command.attempt,
        deferred=deferred,
        retry_after_us=command.retry_after_us,
        duration_us=command.duration_us,
        call_site=command.call_site,
    )


def _terminal(command: Command) -> e.TerminalAttributes:
    if type(command) is CompleteWorkflow:
        return e.WorkflowCompleted(result=command.result)
    if type(command) is FailWorkflow:
        return e.WorkflowFailed(failure=command.failure)
    assert type(command) is CancelWorkflowExecution
    return e.WorkflowCanceled(failure=command.failure)

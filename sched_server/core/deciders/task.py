"""The workflow task apart from its success: failed, lost, hastened, due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sched_server.core import events as e
from sched_server.core.decision import (
    ClearTimer,
    Decision,
    DispatchWorkflowTask,
    PutTaskRecord,
    SetTimer,
    Verdict,
)
from sched_server.core.retry import lost_backoff_us, task_backoff_us
from sched_server.core.state import TaskPhase
from sched_server.core.values import Failure, FailureKind, TaskFailureCause, TimerKind

if TYPE_CHECKING:
    from sched_server.core.inputs import FailWorkflowTask, HastenWorkflowTask, LoseWorkflowTask
    from sched_server.core.limits import Limits
    from sched_server.core.state import ExecutionState


def fail(state: ExecutionState, request: FailWorkflowTask, now: int, limits: Limits) -> Decision:
    if request.base != state.base or state.task.phase is not TaskPhase.SCHEDULED:
        return Decision(verdict=Verdict.STALE)
    return fail_task(
        state,
        request.cause,
        request.failure,
        now,
        limits,
        identity=request.identity,
        build_id=request.build_id,
    )


def fail_task(
    state: ExecutionState,
    cause: int,
    failure: Failure,
    now: int,
    limits: Limits,
    *,
    identity: str = "",
    build_id: str = "",
) -> Decision:
    """The workflow stays open and the task is tried again, later and later.
    The same failure again is not recorded again."""
    decision = Decision()
    task = state.task
    known = (
        task.failure is not None
        and task.failure_cause == cause
        and task.failure.message == failure.message
    )
    if not known and state.last_event_id < limits.history_events:
        decision.events.append(
            e.WorkflowTaskFailed(cause=cause, failure=failure, identity=identity, build_id=build_id)
        )
    due = now + task_backoff_us(task.attempt)
    record = msgspec.structs.replace(
        task,
        phase=TaskPhase.BACKOFF,
        attempt=task.attempt + 1,
        due_us=due,
        lost=0,
        failure_cause=cause,
        failure=failure,
        failed_build=build_id,
    )
    decision.records.append(PutTaskRecord(record))
    decision.effects.append(SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, due))
    return decision


def lose(state: ExecutionState, request: LoseWorkflowTask, now: int, limits: Limits) -> Decision:  # noqa: ARG001 - one signature for all
    """Once is bad luck, and the task goes out again at once; a task that goes
    on losing workers waits, and says so."""
    task = state.task
    if task.phase is not TaskPhase.SCHEDULED:
        return Decision(verdict=Verdict.STALE)
    lost = task.lost if request.returned else task.lost + 1
    wait = 0 if request.returned else lost_backoff_us(lost)
    decision = Decision()
    record = msgspec.structs.replace(
        task,
        phase=TaskPhase.BACKOFF if wait else TaskPhase.SCHEDULED,
        attempt=task.attempt if request.returned else task.attempt + 1,
        ready_since_us=now,
        due_us=now + wait if wait else 0,
        lost=lost,
    )
    if lost > 1 and not request.returned:
        failure = Failure(
            kind=FailureKind.WORKER_LOST,
            type="WorkerLost",
            message=f"{lost} workers in a row were lost with this task "
            f"(the last was {request.identity})",
        )
        record = msgspec.structs.replace(
            record, failure_cause=int(TaskFailureCause.WORKER_LOST), failure=failure
        )
    decision.records.append(PutTaskRecord(record))
    if wait:
        due = now + wait
        decision.effects.append(SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, due))
    else:
        decision.effects.append(DispatchWorkflowTask())
    return decision


def hasten(
    state: ExecutionState,
    request: HastenWorkflowTask,  # noqa: ARG001
    now: int,
    limits: Limits,  # noqa: ARG001
) -> Decision:
    # A delayed start is no failure; it keeps its time.
    if state.task.phase is not TaskPhase.BACKOFF or state.task.failure is None:
        return Decision(verdict=Verdict.STALE)
    return _ready(state, now)


def back_off_over(state: ExecutionState, now: int) -> Decision:
    task = state.task
    if task.phase is not TaskPhase.BACKOFF:
        return Decision(verdict=Verdict.STALE)
    if now < task.due_us:
        return Decision(
            verdict=Verdict.STALE,
            effects=[SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, task.due_us)],
        )
    return _ready(state, now)


def _ready(state: ExecutionState, now: int) -> Decision:
    record = msgspec.structs.replace(
        state.task, phase=TaskPhase.SCHEDULED, ready_since_us=now, due_us=0
    )
    return Decision(
        records=[PutTaskRecord(record)],
        effects=[ClearTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0), DispatchWorkflowTask()],
    )

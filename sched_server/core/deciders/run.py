"""Starting, signalling, canceling and terminating a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_server.core import events as e
from sched_server.core.decision import Decision, PutTaskRecord, Rejection, SetTimer, Verdict
from sched_server.core.state import TaskPhase, WorkflowTaskRecord
from sched_server.core.values import Failure, FailureKind, Status, TimerKind

from .wake import close, wake

if TYPE_CHECKING:
    from sched_server.core.inputs import (
        CancelWorkflow,
        SignalWorkflow,
        StartWorkflow,
        TerminateWorkflow,
    )
    from sched_server.core.limits import Limits
    from sched_server.core.state import ExecutionState


def start(state: ExecutionState, request: StartWorkflow, now: int, limits: Limits) -> Decision:  # noqa: ARG001 - one signature for all
    decision = Decision()
    decision.events.append(
        e.WorkflowStarted(
            workflow_id=request.workflow_id,
            run_id=request.run_id,
            workflow_type=request.workflow_type,
            task_queue=request.task_queue,
            input=request.input,
            execution_timeout_us=request.execution_timeout_us,
            start_delay_us=request.start_delay_us,
            seed=request.seed,
            request_id=request.request_id,
            identity=request.identity,
            previous_run_id=request.previous_run_id,
            traceparent=request.traceparent,
            tracestate=request.tracestate,
        )
    )
    if request.execution_timeout_us:
        due = now + request.execution_timeout_us
        decision.effects.append(SetTimer(TimerKind.EXECUTION_TIMEOUT, 0, due))
    if request.start_delay_us:
        due = now + request.start_delay_us
        record = WorkflowTaskRecord(phase=TaskPhase.BACKOFF, due_us=due)
        decision.records.append(PutTaskRecord(record))
        decision.effects.append(SetTimer(TimerKind.WORKFLOW_TASK_BACKOFF, 0, due))
    else:
        wake(state, decision, now)
    return decision


def signal(state: ExecutionState, request: SignalWorkflow, now: int, limits: Limits) -> Decision:
    if request.request_id and request.request_id in state.signal_request_ids:
        return Decision(verdict=Verdict.DUPLICATE)
    require_open(state)
    if (
        state.task.phase is TaskPhase.SCHEDULED
        and state.task.close_refusals >= limits.close_refusals
    ):
        # The code tries to close and signals keep coming: let it decide once.
        return Decision(verdict=Verdict.HOLD)
    require_room(state, limits)
    decision = Decision()
    decision.events.append(
        e.SignalReceived(
            name=request.name,
            input=request.input,
            request_id=request.request_id,
            identity=request.identity,
        )
    )
    wake(state, decision, now)
    return decision


def cancel(state: ExecutionState, request: CancelWorkflow, now: int, limits: Limits) -> Decision:
    if request.request_id and request.request_id == state.cancel_request_id:
        return Decision(verdict=Verdict.DUPLICATE)  # perhaps the cancel has ended the run by now
    require_open(state)
    if state.cancel_requested:
        return Decision(verdict=Verdict.DUPLICATE)
    require_room(state, limits)
    decision = Decision()
    decision.events.append(
        e.WorkflowCancelRequested(
            reason=request.reason, request_id=request.request_id, identity=request.identity
        )
    )
    wake(state, decision, now)
    return decision


def terminate(
    state: ExecutionState,
    request: TerminateWorkflow,
    now: int,  # noqa: ARG001
    limits: Limits,  # noqa: ARG001
) -> Decision:
    outcome = state.outcome
    if (
        isinstance(outcome, e.WorkflowTerminated)
        and request.request_id
        and outcome.request_id == request.request_id
    ):
        return Decision(verdict=Verdict.DUPLICATE)
    require_open(state)
    decision = Decision()
    terminal = e.WorkflowTerminated(
        reason=request.reason,
        request_id=request.request_id,
        identity=request.identity,
        new_run_id=request.new_run_id,
    )
    close(state, decision, terminal)
    return decision


def time_out(state: ExecutionState) -> Decision:
    """The execution timeout passed."""
    decision = Decision()
    seconds = state.execution_timeout_us / 1_000_000
    failure = Failure(
        kind=FailureKind.TIMEOUT,
        type="execution",
        message=f"the workflow did not end within its execution timeout of {seconds:g} s",
    )
    close(state, decision, e.WorkflowTimedOut(failure=failure))
    return decision


def require_open(state: ExecutionState) -> None:
    if state.status is not Status.RUNNING:
        raise Rejection(
            "WORKFLOW_CLOSED",
            f"workflow {state.workflow_id!r} has already ended ({state.status.name})",
        )


def require_room(state: ExecutionState, limits: Limits) -> None:
    if state.last_event_id >= limits.history_events:
        has, limit = f"{state.last_event_id:,} events", f"{limits.history_events:,}"
    elif state.history_bytes >= limits.history_bytes:
        has, limit = f"{state.history_bytes:,} bytes", f"{limits.history_bytes:,}"
    else:
        return
    raise Rejection(
        "LIMIT_EXCEEDED",
        f"the history of workflow {state.workflow_id!r} has {has}, the limit is {limit}; end the "
        "workflow (`sched workflow terminate`) or raise the engine's limit",
    )

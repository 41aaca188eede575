"""DescribeWorkflow: what a run is doing, and what it waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server import edge
from sched_server.codec import failure_to_proto, payload_to_proto
from sched_server.codec.events import origin_to_proto
from sched_server.codec.values import payloads_to_proto
from sched_server.core.state import ActivityPhase, TaskPhase
from sched_server.core.values import Status
from sched_server.lookup import is_open
from sched_server.store.port import ACTIVITY_TASK, TaskKey

from .listing import info_to_proto, put_last_event
from .result import outcome_to_proto

if TYPE_CHECKING:
    from sched_server.core.state import ExecutionState
    from sched_server.engine import Engine
    from sched_server.execution import Execution

_ACTIVITY_STATES = {
    ActivityPhase.SCHEDULED: pb.PendingActivity.STATE_SCHEDULED,
    ActivityPhase.STARTED: pb.PendingActivity.STATE_STARTED,
    ActivityPhase.BACKOFF: pb.PendingActivity.STATE_BACKOFF,
}


async def describe_workflow(
    engine: Engine, request: pb.DescribeWorkflowRequest
) -> pb.DescribeWorkflowResponse:
    edge.check_target(engine.settings.api_limits, request.workflow_id, request.run_id)
    row = await engine.row(request.workflow_id, request.run_id)
    response = pb.DescribeWorkflowResponse(info=info_to_proto(row), history_bytes=row.history_bytes)
    started = await engine.beginning_of(row.run_key)
    response.input.extend(payloads_to_proto(started.input))
    if started.origin is not None:
        response.origin.CopyFrom(origin_to_proto(started.origin))
    if is_open(row):
        execution = await engine.group.load(row.run_key)
        if execution is not None and execution.state.status is Status.RUNNING:
            _describe_open(engine, execution, response)
            # Told only once the state it was read from is durable.
            await engine.group.settled(execution)
            await _put_last_event(engine, row.run_key, response.info)
            return response
    await _put_last_event(engine, row.run_key, response.info)
    said = await engine.store.read_details([row.run_key])
    response.info.details = said.get(row.run_key, "")
    outcome = await engine.outcome_of(row.run_key, 0)
    if outcome is not None:
        response.outcome.CopyFrom(outcome_to_proto(row.run_id, outcome))
        response.new_run_id = response.outcome.new_run_id
    return response


async def _put_last_event(engine: Engine, run_key: int, info: pb.WorkflowInfo) -> None:
    marks = await engine.store.read_event_marks([(run_key, info.history_length)])
    put_last_event(info, marks.get(run_key))


def _describe_open(
    engine: Engine, execution: Execution, response: pb.DescribeWorkflowResponse
) -> None:
    state = execution.state
    response.info.history_length = state.last_event_id
    response.info.build_id = state.build_id
    response.info.details = state.details
    response.history_bytes = state.history_bytes
    response.execution_deadline_time_us = state.execution_deadline_us
    response.cancel_requested = state.cancel_requested
    if state.task.phase is not TaskPhase.IDLE:
        response.workflow_task.CopyFrom(_workflow_task(engine, execution))
    for seq in sorted(state.activities):
        response.activities.append(_activity(engine, state, seq))
    for seq, timer in sorted(state.timers.items()):
        response.timers.add(seq=seq, due_time_us=timer.due_us, call_site=timer.call_site)


def _workflow_task(engine: Engine, execution: Execution) -> pb.PendingWorkflowTask:
    task, holder = execution.state.task, execution.holder
    key = engine.group.workflow_key(execution.state)
    bound = _is_bound(engine, key, execution.state)
    message = pb.PendingWorkflowTask(
        attempt=task.attempt,
        due_time_us=task.due_us,
        queue_has_workers=bound or engine.workers.polls(execution.state.task_queue),
        has_worker=bound or engine.workers.serves(key),
        last_failure_cause=task.failure_cause,  # type: ignore[arg-type]
    )
    if task.phase is TaskPhase.BACKOFF:
        message.state = pb.PendingWorkflowTask.STATE_BACKOFF
    elif holder is not None:
        message.state = pb.PendingWorkflowTask.STATE_STARTED
        message.identity = holder.session.identity
    else:
        message.state = pb.PendingWorkflowTask.STATE_SCHEDULED
    if task.failure is not None:
        message.last_failure.CopyFrom(failure_to_proto(task.failure))
    return message


def _is_bound(engine: Engine, key: TaskKey, state: ExecutionState) -> bool:
    """Whether a worker is there that gets the run's tasks, whoever else serves them."""
    return engine.group.dispatcher.routes.bound_to(key, state) is not None


def _activity(engine: Engine, state: ExecutionState, seq: int) -> pb.PendingActivity:
    activity = state.activities[seq]
    scheduled, record = activity.scheduled, activity.record
    key = TaskKey(scheduled.task_queue, ACTIVITY_TASK, scheduled.name)
    started = record.phase is ActivityPhase.STARTED
    bound = _is_bound(engine, key, state)
    message = pb.PendingActivity(
        seq=seq,
        name=scheduled.name,
        task_queue=scheduled.task_queue,
        state=_ACTIVITY_STATES[record.phase],
        attempt=record.attempt,
        maximum_attempts=scheduled.retry.maximum_attempts,
        has_worker=bound or engine.workers.serves(key),
        queue_has_workers=bound or engine.workers.polls(scheduled.task_queue),
        identity=record.identity if started else "",
        scheduled_time_us=activity.scheduled_us,
        started_time_us=record.started_us if started else 0,
        due_time_us=record.due_us,
        last_heartbeat_time_us=record.heartbeat_us,
        cancel_requested=activity.cancel_requested,
        call_site=scheduled.call_site,
        summary=scheduled.summary,
    )
    if record.last_failure is not None:
        message.last_failure.CopyFrom(failure_to_proto(record.last_failure))
    if record.heartbeat_details is not None:
        message.heartbeat_details.CopyFrom(payload_to_proto(record.heartbeat_details))
    return message

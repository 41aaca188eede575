"""Building the tasks that are pushed to workers."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_server.codec.values import payload_to_proto, payloads_to_proto
from sched_server.store.port import StoreError

if TYPE_CHECKING:
    from sched_server.core.state import Activity, ExecutionState
    from sched_server.execution import Execution
    from sched_server.observability.tracing import Tracing
    from sched_server.shard_group import ShardGroup
    from sched_server.workers import WorkerSession

logger = logging.getLogger("sched.engine")

# The first page of a history travels with the task; the worker reads the rest.
PAGE_EVENTS = 2_000
PAGE_BYTES = 1024 * 1024


def first_page(events: list[tuple[int, bytes]]) -> tuple[list[bytes], int]:
    """As many events as one message should carry, at least one; and the id of
    the last of them (0: there are none)."""
    if not events:
        return [], 0
    page: list[bytes] = []
    size = last = 0
    for event_id, data in events:
        size += len(data)
        if page and size > PAGE_BYTES:
            break
        page.append(data)
        last = event_id
    return page, last


def push_workflow_task(
    group: ShardGroup,
    execution: Execution,
    session: WorkerSession,
    dispatch: int,
    *,
    cached: bool,
) -> None:
    """Send the task: what a cached instance has not seen, or the history."""
    events = execution.unseen_events() if cached else execution.whole_history()
    if events is None:
        group.spawn(_push_from_store(group, execution, session, dispatch))
        return
    page, last = first_page(events)
    more = bool(events) and last != events[-1][0]
    _push(execution, session, dispatch, page, full=not cached, more=more)


async def _push_from_store(
    group: ShardGroup, execution: Execution, session: WorkerSession, dispatch: int
) -> None:
    try:
        rows = await group.store.read_history(
            execution.run_key, after_event_id=0, limit=PAGE_EVENTS, max_bytes=PAGE_BYTES
        )
    except StoreError as error:
        logger.warning("a history could not be read; its task goes out again: %s", error)
        group.lose_workflow_task(execution, returned=True)
        return
    holder = execution.holder
    if holder is None or holder.dispatch != dispatch:
        return
    last = execution.committed_event_id
    events = [row.data for row in rows if row.event_id <= last]
    more = len(events) < last
    _push(execution, session, dispatch, events, full=True, more=more)


def _push(
    execution: Execution,
    session: WorkerSession,
    dispatch: int,
    events: list[bytes],
    *,
    full: bool,
    more: bool,
) -> None:
    if session.outbox.closed:
        return
    state = execution.state
    session.outbox.frame.workflow_tasks.append(
        pb.WorkflowTask(
            workflow_id=state.workflow_id,
            run_id=state.run_id,
            dispatch=dispatch,
            attempt=state.task.attempt,
            base=state.base,
            last_event_id=execution.committed_event_id,
            full_history=full,
            events=events,
            more_pages=more,
        )
    )


def activity_task(
    state: ExecutionState, activity: Activity, tracing: Tracing | None
) -> pb.ActivityTask:
    """Its span is below the run's, or below the caller's where the engine makes none."""
    parent = state.traceparent if tracing is None else tracing.parent_of_activities(state)
    scheduled, record = activity.scheduled, activity.record
    task = pb.ActivityTask(
        workflow_id=state.workflow_id,
        run_id=state.run_id,
        workflow_type=state.workflow_type,
        seq=scheduled.seq,
        dispatch=record.dispatch,
        attempt=record.attempt,
        name=scheduled.name,
        input=payloads_to_proto(scheduled.input),
        scheduled_time_us=activity.scheduled_us,
        started_time_us=record.started_us,
        start_to_close_us=scheduled.start_to_close_us,
        heartbeat_timeout_us=scheduled.heartbeat_timeout_us,
        task_token=task_token(state.run_id, scheduled.seq, record.dispatch),
        cancel_requested=activity.cancel_requested,
        task_queue=scheduled.task_queue,
        maximum_attempts=scheduled.retry.maximum_attempts,
    )
    if parent:
        task.traceparent, task.tracestate = parent, state.tracestate
    if record.heartbeat_details is not None:
        task.heartbeat_details.CopyFrom(payload_to_proto(record.heartbeat_details))
    return task


def task_token(run_id: str, seq: int, dispatch: int) -> bytes:
    """Names one attempt to whoever completes it elsewhere."""
    return pb.ActivityClaim(run_id=run_id, seq=seq, dispatch=dispatch).SerializeToString()

"""API messages as the client's models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sched_sdk import _payloads
from sched_sdk._client.models import (
    ClockStatus,
    ClusterStatus,
    EngineRole,
    Event,
    HistoryOrigin,
    LastEvent,
    LatencyTotal,
    PendingActivity,
    PendingTimer,
    PendingWorkflowTask,
    QueueStatus,
    StandbyStatus,
    StoreStatus,
    TaskQueueStatus,
    TaskState,
    TimeAdvance,
    WorkerStatus,
    WorkflowCount,
    WorkflowDescription,
    WorkflowInfo,
    WorkflowStatus,
)
from sched_sdk._failures import exception_from_failure
from sched_sdk.api.v1 import cluster_service_pb2, common_pb2, history_pb2, workflow_service_pb2
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from google.protobuf.descriptor import FieldDescriptor
    from google.protobuf.message import Message

    from sched_sdk.errors import FailureError

__all__ = [
    "cluster_status_from_proto",
    "count_from_proto",
    "decode_plainly",
    "description_from_proto",
    "event_from_bytes",
    "info_from_proto",
    "status_from_proto",
    "time_advance_from_proto",
    "time_to_proto",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def time_from_proto(time_us: int) -> datetime:
    """Microseconds since 1970 as an aware datetime."""
    return _EPOCH + timedelta(microseconds=time_us)


def optional_time(time_us: int) -> datetime | None:
    """The same; 0 is None."""
    return time_from_proto(time_us) if time_us else None


def time_to_proto(time: datetime | None) -> int:
    """Microseconds since 1970; a naive datetime is local time, None is 0."""
    return 0 if time is None else (time.astimezone(UTC) - _EPOCH) // _MICROSECOND


def decode_plainly(payload: common_pb2.Payload) -> Any:
    """JSON's own types, or bytes; bytes too for what cannot be read."""
    try:
        return _payloads.decode(payload)
    except PayloadError:
        return payload.data


def status_from_proto(status: common_pb2.WorkflowStatus.ValueType) -> WorkflowStatus:
    """Raises ValueError for a status that a newer engine may have."""
    return WorkflowStatus(_short_name(common_pb2.WorkflowStatus, status, "WORKFLOW_STATUS_"))


def _short_name(enum: Any, value: int, prefix: str) -> str:
    name: str = enum.Name(value) if value in enum.values() else str(value)
    return name.removeprefix(prefix)


def _optional_failure(message: Any, field: str) -> FailureError | None:
    return exception_from_failure(getattr(message, field)) if message.HasField(field) else None


def info_from_proto(info: workflow_service_pb2.WorkflowInfo) -> WorkflowInfo:
    return WorkflowInfo(
        workflow_id=info.workflow_id,
        run_id=info.run_id,
        workflow_type=info.workflow_type,
        task_queue=info.task_queue,
        status=status_from_proto(info.status),
        start_time=time_from_proto(info.start_time_us),
        close_time=optional_time(info.close_time_us),
        history_length=info.history_length,
        build_id=info.build_id,
        last_event=_last_event(info.last_event) if info.HasField("last_event") else None,
        details=info.details,
    )


def _last_event(mark: workflow_service_pb2.EventMark) -> LastEvent:
    name = "Unknown"
    if mark.type in history_pb2.EventType.values():
        # EVENT_TYPE_TIMER_FIRED is of the message TimerFired.
        words = _short_name(history_pb2.EventType, mark.type, "EVENT_TYPE_").split("_")
        name = "".join(word.capitalize() for word in words)
    return LastEvent(type=name, time=time_from_proto(mark.time_us))


def description_from_proto(
    response: workflow_service_pb2.DescribeWorkflowResponse,
) -> WorkflowDescription:
    outcome = response.outcome
    has_task = response.HasField("workflow_task")
    return WorkflowDescription(
        info=info_from_proto(response.info),
        input=tuple(decode_plainly(payload) for payload in response.input),
        result=decode_plainly(outcome.result) if outcome.HasField("result") else None,
        failure=_optional_failure(outcome, "failure"),
        execution_deadline=optional_time(response.execution_deadline_time_us),
        cancel_requested=response.cancel_requested,
        workflow_task=_workflow_task(response.workflow_task) if has_task else None,
        activities=tuple(_activity(activity) for activity in response.activities),
        timers=tuple(
            PendingTimer(
                seq=timer.seq,
                due_time=time_from_proto(timer.due_time_us),
                call_site=timer.call_site,
            )
            for timer in response.timers
        ),
        history_bytes=response.history_bytes,
        origin=_origin(response.origin) if response.HasField("origin") else None,
        new_run_id=response.new_run_id,
    )


def _origin(origin: history_pb2.HistoryOrigin) -> HistoryOrigin:
    return HistoryOrigin(
        workflow_id=origin.workflow_id,
        run_id=origin.run_id,
        event_id=origin.event_id,
        signals=origin.signals,
        time=time_from_proto(origin.time_us),
    )


def _workflow_task(task: workflow_service_pb2.PendingWorkflowTask) -> PendingWorkflowTask:
    cause = ""
    if task.last_failure_cause:
        cause = _short_name(
            history_pb2.WorkflowTaskFailureCause,
            task.last_failure_cause,
            "WORKFLOW_TASK_FAILURE_CAUSE_",
        )
    return PendingWorkflowTask(
        state=_task_state(workflow_service_pb2.PendingWorkflowTask.State, task.state),
        attempt=task.attempt,
        has_worker=task.has_worker,
        queue_has_workers=task.queue_has_workers,
        identity=task.identity,
        due_time=optional_time(task.due_time_us),
        last_failure_cause=cause,
        last_failure=_optional_failure(task, "last_failure"),
    )


def _task_state(enum: Any, state: int) -> TaskState:
    return TaskState(_short_name(enum, state or 1, "STATE_"))


def _activity(activity: workflow_service_pb2.PendingActivity) -> PendingActivity:
    has_details = activity.HasField("heartbeat_details")
    return PendingActivity(
        seq=activity.seq,
        name=activity.name,
        task_queue=activity.task_queue,
        state=_task_state(workflow_service_pb2.PendingActivity.State, activity.state),
        attempt=activity.attempt,
        maximum_attempts=activity.maximum_attempts,
        has_worker=activity.has_worker,
        queue_has_workers=activity.queue_has_workers,
        identity=activity.identity,
        scheduled_time=optional_time(activity.scheduled_time_us),
        started_time=optional_time(activity.started_time_us),
        due_time=optional_time(activity.due_time_us),
        last_failure=_optional_failure(activity, "last_failure"),
        heartbeat_details=decode_plainly(activity.heartbeat_details) if has_details else None,
        last_heartbeat_time=optional_time(activity.last_heartbeat_time_us),
        cancel_requested=activity.cancel_requested,
        call_site=activity.call_site,
        summary=activity.summary,
    )


def count_from_proto(response: workflow_service_pb2.CountWorkflowsResponse) -> WorkflowCount:
    return WorkflowCount(
        total=response.total,
        by_status={status_from_proto(entry.status): entry.count for entry in response.by_status},
    )


def cluster_status_from_proto(
    response: cluster_service_pb2.GetStatusResponse, address: str
) -> ClusterStatus:
    roles = cluster_service_pb2.GetStatusResponse.Role
    return ClusterStatus(
        role=EngineRole(_short_name(roles, response.role, "ROLE_")),
        address=address,
        epoch=response.epoch,
        leader_address=response.leader_address,
        standbys=tuple(
            StandbyStatus(address=standby.address, since_time=optional_time(standby.since_time_us))
            for standby in response.standbys
        ),
        version=response.version,
        store=response.store,
        store_status=_store(response.store_status),
        started_time=optional_time(response.started_time_us),
        open_workflows=response.open_workflows,
        queue=_queue(response.queue) if response.HasField("queue") else None,
        workers=tuple(_worker(worker) for worker in response.workers),
        task_queues=tuple(
            TaskQueueStatus(
                name=queue.name,
                workers=queue.workers,
                pending_workflow_tasks=queue.pending_workflow_tasks,
                pending_activity_tasks=queue.pending_activity_tasks,
            )
            for queue in response.task_queues
        ),
        clock=ClockStatus(
            machine_time=optional_time(response.clock.machine_time_us),
            cluster_time=optional_time(response.clock.cluster_time_us),
            advanced=timedelta(microseconds=response.clock.advanced_us),
        ),
        commit_latency=_latency(response, "commit_latency"),
        dispatch_latency=_latency(response, "dispatch_latency"),
    )


def _latency(response: cluster_service_pb2.GetStatusResponse, field: str) -> LatencyTotal | None:
    if not response.HasField(field):  # type: ignore[arg-type]  # one of two names
        return None
    told: cluster_service_pb2.LatencyTotal = getattr(response, field)
    return LatencyTotal(count=told.count, total=timedelta(microseconds=told.total_us))


def time_advance_from_proto(response: cluster_service_pb2.AdvanceTimeResponse) -> TimeAdvance:
    return TimeAdvance(
        advanced=timedelta(microseconds=response.advanced_us),
        timers_fired=response.timers_fired,
        workflows_touched=response.workflows_touched,
        workflow_ids=tuple(response.workflow_ids),
        cluster_time=time_from_proto(response.cluster_time_us),
        stopped_by=response.stopped_by,
    )


def _store(store: cluster_service_pb2.StoreStatus) -> StoreStatus:
    return StoreStatus(
        connected=store.connected, last_error=store.last_error, warnings=tuple(store.warnings)
    )


def _queue(queue: cluster_service_pb2.QueueStatus) -> QueueStatus:
    return QueueStatus(
        description=queue.description,
        connected=queue.connected,
        last_error=queue.last_error,
        warnings=tuple(queue.warnings),
    )


def _worker(worker: cluster_service_pb2.WorkerStatus) -> WorkerStatus:
    return WorkerStatus(
        identity=worker.identity,
        build_id=worker.build_id,
        sdk=worker.sdk,
        task_queue=worker.task_queue,
        workflow_types=tuple(worker.workflow_types),
        activity_names=tuple(worker.activity_names),
        workflow_task_slots=worker.workflow_task_slots,
        workflow_tasks_running=worker.workflow_tasks_running,
        activity_slots=worker.activity_slots,
        activities_running=worker.activities_running,
        draining=worker.draining,
        connected_time=optional_time(worker.connected_time_us),
        last_heard_time=optional_time(worker.last_heard_time_us),
    )


def event_from_bytes(data: bytes) -> Event:
    """One event of a history, from its stored form."""
    raw = history_pb2.HistoryEvent.FromString(data)
    which = raw.WhichOneof("attributes")
    attributes: Message | None = getattr(raw, which) if which else None
    return Event(
        event_id=raw.event_id,
        type=attributes.DESCRIPTOR.name if attributes is not None else "Unknown",
        time=time_from_proto(raw.time_us),
        attributes=_plain_fields(attributes) if attributes is not None else {},
        raw=raw,
    )


def _plain_fields(message: Message) -> dict[str, Any]:
    """The fields of an event that are set, as plain Python values."""
    plain: dict[str, Any] = {}
    for field, value in message.ListFields():
        name = field.name
        if name.endswith("_time_us"):
            plain[name.removesuffix("_us")] = time_from_proto(value)
        elif name.endswith("_us"):
            plain[name.removesuffix("_us")] = timedelta(microseconds=value)
        elif field.is_repeated:
            plain[name] = [_plain_value(field, item) for item in value]
        else:
            plain[name] = _plain_value(field, value)
    return plain


def _plain_value(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, common_pb2.Payload):
        return decode_plainly(value)
    if field.message_type is not None:
        return _plain_fields(value)
    if field.enum_type is not None:
        prefix = _enum_prefix(field.enum_type.values[0].name)
        number = field.enum_type.values_by_number.get(value)
        return number.name.removeprefix(prefix) if number else str(value)
    return value


def _enum_prefix(zero_name: str) -> str:
    """Every enum's zero is called `<PREFIX>UNSPECIFIED`."""
    return zero_name.removesuffix("UNSPECIFIED")

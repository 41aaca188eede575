"""The client: calls to the engine over one stream."""

from __future__ import annotations

from sched_sdk._client.client import Client
from sched_sdk._client.handles import ActivityTaskHandle, WorkflowHandle
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
    WorkerStatus,
    WorkflowCount,
    WorkflowDescription,
    WorkflowInfo,
    WorkflowStatus,
)
from sched_sdk._client.sync_client import (
    SyncActivityTaskHandle,
    SyncClient,
    SyncWorkflowHandle,
)

__all__ = [
    "ActivityTaskHandle",
    "Client",
    "ClockStatus",
    "ClusterStatus",
    "EngineRole",
    "Event",
    "HistoryOrigin",
    "LastEvent",
    "LatencyTotal",
    "PendingActivity",
    "PendingTimer",
    "PendingWorkflowTask",
    "QueueStatus",
    "StandbyStatus",
    "StoreStatus",
    "SyncActivityTaskHandle",
    "SyncClient",
    "SyncWorkflowHandle",
    "TaskQueueStatus",
    "TaskState",
    "WorkerStatus",
    "WorkflowCount",
    "WorkflowDescription",
    "WorkflowHandle",
    "WorkflowInfo",
    "WorkflowStatus",
]

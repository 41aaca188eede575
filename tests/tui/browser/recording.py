"""Data of a real engine, kept in a file, and a client that reads from it.

    python -m tests.tui.browser.recording HOST:PORT WORKFLOW_ID     writes the file anew

Only what is read is there: what changes workflows is tested on a real engine.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict

from sched_sdk._client import Client
from sched_sdk._client.conversions import (
    cluster_status_from_proto,
    description_from_proto,
    event_from_bytes,
    info_from_proto,
)
from sched_sdk._client.models import WorkflowCount
from sched_sdk.api.v1 import cluster_service_pb2, history_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sched_sdk._client.models import (
        ClusterStatus,
        Event,
        WorkflowDescription,
        WorkflowInfo,
    )

FILE = Path(__file__).parent / "recorded.json"
RUNS = 40
QUERIES = ("__stack", "__queries", "progress")


class RecordedClient:
    """Answers as the engine did."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.now = datetime.fromisoformat(data["now"])
        self.runs = [
            info_from_proto(ParseDict(run, service.WorkflowInfo())) for run in data["runs"]
        ]
        self._described = description_from_proto(
            ParseDict(data["described"], service.DescribeWorkflowResponse())
        )
        self._events = [
            event_from_bytes(ParseDict(event, history_pb2.HistoryEvent()).SerializeToString())
            for event in data["events"]
        ]
        self._answers: dict[str, Any] = data["answers"]
        self._status = data["status"]

    @property
    def described(self) -> WorkflowInfo:
        """The run that is recorded in full."""
        return self._described.info

    async def close(self) -> None:
        pass

    def cluster_time(self) -> datetime:
        return self.now

    async def cluster_status(self) -> ClusterStatus:
        status = ParseDict(self._status, cluster_service_pb2.GetStatusResponse())
        return cluster_status_from_proto(status, "localhost:50051")

    def _matching(self, filters: dict[str, Any]) -> list[WorkflowInfo]:
        fields = {"workflow_type": "workflow_type", "task_queue": "task_queue"}
        fields |= {"build_id": "build_id"}
        before, statuses = filters.get("started_before"), filters.get("status")
        return [
            run
            for run in self.runs
            if all(filters.get(f) in (None, getattr(run, a)) for f, a in fields.items())
            and run.workflow_id.startswith(filters.get("id_prefix") or "")
            and (statuses is None or run.status in statuses)
            and (before is None or run.start_time < before)
        ]

    async def list_workflows(
        self,
        *,
        limit: int | None = None,
        with_last_event: bool = False,
        with_details: bool = False,
        **filters: Any,
    ) -> AsyncIterator[WorkflowInfo]:
        for run in self._matching(filters)[:limit]:
            shown = run if with_last_event else dataclasses.replace(run, last_event=None)
            yield shown if with_details else dataclasses.replace(shown, details="")

    async def count_workflows(self, **filters: Any) -> WorkflowCount:
        found = self._matching(filters)
        statuses = {run.status for run in found}
        by_status = {one: sum(run.status is one for run in found) for one in statuses}
        return WorkflowCount(total=len(found), by_status=by_status)

    def workflow(self, workflow_id: str, *, run_id: str | None = None) -> RecordedHandle:
        return RecordedHandle(self, workflow_id)


ClientT = TypeVar("ClientT", bound=RecordedClient)


class RecordedHandle:
    def __init__(self, client: RecordedClient, workflow_id: str) -> None:
        self._client, self.id = client, workflow_id

    def cluster_time(self) -> datetime:
        return self._client.now

    async def describe(self) -> WorkflowDescription:
        described = self._client._described
        if self.id == described.info.workflow_id:
            return described
        info = next(run for run in self._client.runs if run.workflow_id == self.id)
        return dataclasses.replace(
            described, info=info, workflow_task=None, activities=(), timers=(), input=()
        )

    async def history(self, after: int = 0, *, follow: bool = False) -> AsyncIterator[Event]:
        for event in self._client._events[after:]:
            yield event
        if follow:
            await asyncio.Event().wait()  # it runs on

    async def query(self, name: str, *args: Any, timeout: float | None = None) -> Any:
        return self._client._answers[name]


def recorded(kind: type[ClientT] = RecordedClient) -> ClientT:  # type: ignore[assignment]  # the default of a type variable
    """The recording, in a client that answers from it."""
    return kind(json.loads(FILE.read_text(encoding="utf-8")))


async def _record(address: str, workflow_id: str) -> dict[str, Any]:
    async with await Client.connect(address) as client:
        handle = client.workflow(workflow_id)
        call = client._connection.call
        newest = service.ListWorkflowsRequest(
            page_size=RUNS, with_last_event=True, with_details=True
        )
        listed = await call(service.Call(list_workflows=newest))
        described = await call(
            service.Call(describe_workflow=service.DescribeWorkflowRequest(workflow_id=workflow_id))
        )
        channel = await client._connection.channel()
        status = await channel.unary_unary(
            "/sched.v1.ClusterService/GetStatus",
            request_serializer=cluster_service_pb2.GetStatusRequest.SerializeToString,
            response_deserializer=cluster_service_pb2.GetStatusResponse.FromString,
        )(cluster_service_pb2.GetStatusRequest())
        return {
            "now": datetime.now().astimezone().isoformat(),
            "runs": [MessageToDict(run) for run in listed.list_workflows.workflows],
            "described": MessageToDict(described.describe_workflow),
            "events": [MessageToDict(event.raw) async for event in handle.history()],
            "answers": {name: await handle.query(name) for name in QUERIES},
            "status": MessageToDict(status),
        }


if __name__ == "__main__":
    taken = asyncio.run(_record(*sys.argv[1:]))
    FILE.write_text(json.dumps(taken, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

"""Clients of clusters that look otherwise than the recorded one."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sched_sdk._client.models import HistoryOrigin, LatencyTotal, WorkflowCount, WorkflowStatus
from sched_sdk.errors import (
    ActivityError,
    ApplicationError,
    EngineUnavailableError,
    WorkflowClosedError,
)
from tests.tui.browser.recording import RecordedClient, RecordedHandle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from sched_sdk._client.models import ClusterStatus, WorkflowInfo

MANY = 1_000
SECONDS = 120


class Forgetful(RecordedClient):
    """Its engine is lost when it is first asked for older runs."""

    lost = False

    async def list_workflows(self, **filters: Any) -> AsyncIterator[WorkflowInfo]:
        if filters["started_before"] is not None and not self.lost:
            self.lost = True
            raise EngineUnavailableError("the engine is gone")
        async for run in super().list_workflows(**filters):
            yield run


class NewClient(RecordedClient):
    """An engine that was started just now."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.runs = []
        for part in ("workers", "taskQueues"):
            self._status.pop(part)


class LongClient(RecordedClient):
    """Names as long as people give them, numbers as high as they come."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.runs = [
            dataclasses.replace(
                run,
                workflow_id=f"customer-5618a30b-0706-4881-b32d-c7bd18e8b4c6/invoice/2026-11/{n}",
                workflow_type="billing.monthly.SendInvoiceToCustomer",
                task_queue="billing-production-eu",
                start_time=run.start_time - timedelta(days=390, hours=5 * n),
                close_time=run.close_time and run.close_time + timedelta(minutes=n),
                history_length=51_200,
            )
            for n, run in enumerate(self.runs)
        ]
        self._described = dataclasses.replace(self._described, info=self.runs[0])


class ClosedClient(RecordedClient):
    """The recorded run has ended."""

    status = WorkflowStatus.COMPLETED
    closing = "WorkflowCompleted"

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        info = dataclasses.replace(
            self.described,
            status=self.status,
            close_time=self.now,
            history_length=len(self._events) + 1,
        )
        self.runs[0] = info
        completed = self.status is WorkflowStatus.COMPLETED
        self._described = dataclasses.replace(
            self._described,
            info=info,
            activities=(),
            result={"order": "A-1042", "parcels": ["P-1", "P-2"]} if completed else None,
            failure=None if completed else _failure(),
        )
        last = self._events[-1]
        attributes = {} if completed else {"failure": {"message": "ActivityError: reserve failed"}}
        self._events.append(
            dataclasses.replace(
                last,
                event_id=last.event_id + 1,
                type=self.closing,
                time=self.now,
                attributes=attributes,
            )
        )

    def workflow(self, workflow_id: str, *, run_id: str | None = None) -> RecordedHandle:
        return ClosedHandle(self, workflow_id)


class ChainClient(RecordedClient):
    """The recorded run was reset from another, which went on from a third."""

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        older = [
            dataclasses.replace(
                self.described,
                run_id=f"{number}b1f0c2d-5e6f-4a7b-8c9d-0e1f2a3b4c5d",
                status=status,
                start_time=self.described.start_time - timedelta(hours=30 * number),
                close_time=self.described.start_time - timedelta(hours=30 * number - 7),
            )
            for number, status in (
                (1, WorkflowStatus.TERMINATED),
                (2, WorkflowStatus.CONTINUED_AS_NEW),
            )
        ]
        self.runs[1:1] = older
        origin = HistoryOrigin(
            workflow_id=self.described.workflow_id,
            run_id=older[0].run_id,
            event_id=18,
            signals=1,
            time=self.described.start_time,
        )
        self._described = dataclasses.replace(self._described, origin=origin)


class FailedClient(ClosedClient):
    """The recorded run has failed."""

    status = WorkflowStatus.FAILED
    closing = "WorkflowFailed"


class ClosedHandle(RecordedHandle):
    async def signal(self, name: str, *args: Any) -> None:
        raise WorkflowClosedError(f"workflow {self.id!r} has ended: it takes no signals any more")


class ObligingClient(RecordedClient):
    """Takes every signal."""

    def workflow(self, workflow_id: str, *, run_id: str | None = None) -> RecordedHandle:
        return ObligingHandle(self, workflow_id)


class ObligingHandle(RecordedHandle):
    async def signal(self, name: str, *args: Any) -> None:
        pass


def _failure() -> ActivityError:
    cause = ApplicationError(
        "no route to warehouse.example.com:443",
        type="ConnectionError",
        remote_traceback=(
            "Traceback (most recent call last):\n"
            '  File "/srv/shop/app.py", line 8, in reserve\n'
            '    raise ConnectionError("no route to warehouse.example.com:443")\n'
            "ConnectionError: no route to warehouse.example.com:443"
        ),
    )
    error = ActivityError("activity reserve failed after 8 attempts")
    error.__cause__ = cause
    return error


def with_many_runs(client: RecordedClient) -> RecordedClient:
    """More runs than fit a page, a second apart."""
    newest = client.runs[0]
    client.runs = [
        dataclasses.replace(
            newest,
            workflow_id=f"wf-{number:04d}",
            run_id=f"run-{number}",
            start_time=newest.start_time - timedelta(seconds=number),
        )
        for number in range(MANY)
    ]
    return client


class BusyClient(RecordedClient):
    """The same cluster, with more to do."""

    started = 0

    def count_at(self, second: int) -> WorkflowCount:
        """Starts that rise and fall, and runs that pile up and go."""
        self.started += round(30 * (math.sin(second / 9) + 1))
        running = 40 + second % 30
        return WorkflowCount(total=self.started, by_status={WorkflowStatus.RUNNING: running})

    async def status_at(self, second: int) -> ClusterStatus:
        """Latencies that rise with the starts, and now and then a slow disk."""
        total = LatencyTotal(count=0, total=timedelta(0))
        totals = [total, total]
        for before in range(second + 1):
            swing = 1 + math.sin(before / 9)
            for index, mean_us in enumerate((210 + 90 * swing + 900 * (before % 41 == 40), 70)):
                totals[index] = LatencyTotal(
                    count=totals[index].count + 40,
                    total=totals[index].total + 40 * timedelta(microseconds=mean_us * swing**index),
                )
        return dataclasses.replace(
            await super().cluster_status(),
            open_workflows=69,
            commit_latency=totals[0],
            dispatch_latency=totals[1],
        )

    def time_at(self, second: int) -> datetime:
        """When a second of the last two minutes was."""
        return self.now - timedelta(seconds=SECONDS - 1 - second)

    async def count_workflows(self, **filters: Any) -> WorkflowCount:
        return WorkflowCount(total=self.started, by_status={WorkflowStatus.RUNNING: 69})

    async def cluster_status(self) -> ClusterStatus:
        return await self.status_at(SECONDS - 1)

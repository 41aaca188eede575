"""Activity tasks: which run, which reports are not durable yet.

An attempt is *running* until its report is made, and its report is kept until
the engine says that it is durable, or of no interest. A new stream begins with
the claims for what is running, and with the reports that were kept.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_sdk._failures import failure_from_exception
from sched_sdk._worker.activity_attempt import ActivityAttempt
from sched_sdk._worker.outbox import ACTIVITY_REPORTS, HEARTBEATS, encode_entry
from sched_sdk._worker.threads import thread_pool
from sched_sdk.api.v1 import worker_service_pb2
from sched_sdk.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sched_sdk._client.machine import Machine
    from sched_sdk._worker.outbox import Outbox
    from sched_sdk._worker.registry import Registry
    from sched_sdk._worker.tally import Tally
    from sched_sdk.api.v1 import common_pb2
    from sched_sdk.api.v1.worker_service_pb2 import (
        ActivityClaim,
        ActivityReport,
        ActivityTask,
        CancelActivity,
    )

__all__ = ["ActivityRunner"]

# How long an activity that is cancelled at the end may take to clean up.
_CLEAN_UP_S = 1.0


class ActivityRunner:
    """All activities of a worker, by dispatch number."""

    def __init__(
        self,
        registry: Registry,
        outbox: Outbox,
        tally: Tally,
        machine: Machine,
        *,
        maximum_concurrent: int,
    ) -> None:
        self._registry = registry
        self._outbox = outbox
        self._tally = tally
        self._monotonic = machine.monotonic
        self._threads = thread_pool(machine, maximum_concurrent, "sched-activity")
        self._running: dict[int, ActivityAttempt] = {}
        self._unacknowledged: dict[int, tuple[ActivityClaim, bytes]] = {}
        self.draining = False

    @property
    def running(self) -> int:
        """How many attempts are being worked on."""
        return len(self._running)

    @property
    def busy(self) -> bool:
        """Whether something runs, or a report is not durable."""
        return bool(self._running or self._unacknowledged)

    # -- from the engine -------------------------------------------------------------

    def receive_tasks(self, tasks: Iterable[ActivityTask]) -> None:
        for task in tasks:
            if task.dispatch in self._running or task.dispatch in self._unacknowledged:
                continue
            if self.draining:
                self._outbox.hand_back(task.dispatch)
            else:
                self._start(task)

    def receive_cancels(self, cancels: Iterable[CancelActivity]) -> None:
        for cancel in cancels:
            attempt = self._running.get(cancel.dispatch)
            if attempt is not None:
                attempt.cancel(cancel.reason)

    def receive_acks(self, dispatches: Iterable[int]) -> None:
        for dispatch in dispatches:
            self._unacknowledged.pop(dispatch, None)

    def receive_losses(self, dispatches: Iterable[int]) -> None:
        """The engine counts these as somebody else's, or as over."""
        for dispatch in dispatches:
            attempt = self._running.pop(dispatch, None)
            if attempt is not None:
                attempt.abandon("the engine gave this attempt up")

    def claims(self) -> list[ActivityClaim]:
        """What a new stream begins with: the attempts that this worker has."""
        claims = [_claim(attempt.message) for attempt in self._running.values()]
        claims.extend(claim for claim, _ in self._unacknowledged.values())
        return claims

    def unacknowledged(self) -> Iterator[bytes]:
        """The reports that a new stream begins with."""
        return (entry for _, entry in self._unacknowledged.values())

    # -- running ---------------------------------------------------------------------

    def _start(self, message: ActivityTask) -> None:
        definition = self._registry.activities.get(message.name)
        if definition is None:
            error = DefinitionError(f"this worker has no activity named {message.name!r}")
            report = worker_service_pb2.ActivityReport(
                run_id=message.run_id,
                seq=message.seq,
                dispatch=message.dispatch,
                failure=failure_from_exception(error),
            )
            self._report(report)
            return
        attempt = ActivityAttempt(
            message, definition, self._threads, self._heartbeat, began=self._monotonic()
        )
        self._running[message.dispatch] = attempt
        attempt.start(self._ended)

    def _ended(self, attempt: ActivityAttempt, report: ActivityReport) -> None:
        if self._running.pop(report.dispatch, None) is None:
            return  # lost or handed back meanwhile
        self._tally.activity_ended(report, self._monotonic() - attempt.began)
        if report.HasField("failure") and attempt.heartbeats.flush():
            # The next attempt begins with what this one said last, so the
            # heartbeat must be there before the failure.
            self._outbox.end_frame()
        attempt.heartbeats.close()
        self._report(report)

    def _report(self, report: ActivityReport) -> None:
        entry = encode_entry(ACTIVITY_REPORTS, report)
        self._unacknowledged[report.dispatch] = (_claim(report), entry)
        self._outbox.put(entry)

    def _heartbeat(self, message: ActivityTask, details: common_pb2.Payload | None) -> None:
        heartbeat = worker_service_pb2.ActivityHeartbeat(
            run_id=message.run_id, seq=message.seq, dispatch=message.dispatch, details=details
        )
        self._outbox.put(encode_entry(HEARTBEATS, heartbeat))

    # -- stopping --------------------------------------------------------------------

    async def hand_everything_back(self) -> None:
        """The worker stops: what still runs goes to others. An `async def` is
        cancelled and gets a moment to clean up; threads are left to themselves."""
        for dispatch, attempt in list(self._running.items()):
            attempt.abandon("the worker is shutting down")
            self._outbox.hand_back(dispatch)
        await self._let_end()

    async def close(self) -> None:
        """The worker has ended."""
        for attempt in self._running.values():
            attempt.abandon("the worker has stopped")
        await self._let_end()
        self._threads.close()

    async def _let_end(self) -> None:
        tasks = [attempt.task for attempt in self._running.values() if attempt.task is not None]
        self._running.clear()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLEAN_UP_S)


def _claim(of: ActivityTask | ActivityReport) -> ActivityClaim:
    return worker_service_pb2.ActivityClaim(run_id=of.run_id, seq=of.seq, dispatch=of.dispatch)

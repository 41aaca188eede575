"""What exists while a worker runs: its parts, wired together.

engine ══ WorkerConnection ──frames──▶ WorkflowRunner ── RunDriver … ── StepRunner
              ▲                    └─▶ ActivityRunner ── ActivityAttempt …
              └────── Outbox ◀───────────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from sched_sdk._worker.activity_runner import ActivityRunner
from sched_sdk._worker.connection import WorkerConnection
from sched_sdk._worker.outbox import Outbox
from sched_sdk._worker.query_runner import QueryRunner
from sched_sdk._worker.step_runner import StepRunner
from sched_sdk._worker.tally import Load
from sched_sdk._worker.watchdog import Unwatched, Watchdog
from sched_sdk._worker.workflow_runner import WorkflowRunner
from sched_sdk.api.v1 import worker_service_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import grpc.aio

    from sched_sdk._activations import ActivationGuard
    from sched_sdk._client.machine import Machine
    from sched_sdk._worker.registry import Registry
    from sched_sdk._worker.second_runs import CheckMode, DeterminismChecks
    from sched_sdk._worker.tally import Tally

__all__ = ["WorkerSession"]

# Until the engine has said how long it waits.
_DEFAULT_TASK_TIMEOUT_S = 10.0
_FIRST_FRAME_BYTES = 4 * 1024 * 1024


class WorkerSession:
    """See the module. `close` ends it; it is not used again."""

    def __init__(
        self,
        registry: Registry,
        hello: worker_service_pb2.WorkerHello,
        addresses: tuple[str, ...],
        *,
        tally: Tally,
        max_cached: int,
        on_ready: Callable[[], None] | None,
        machine: Machine,
        guard: bool,
        check_determinism: CheckMode | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._hello = hello
        self._on_ready = on_ready
        self.welcomed = asyncio.Event()
        self._changed = asyncio.Event()
        self._runs_kept = 0
        self._task_timeout_s = _DEFAULT_TASK_TIMEOUT_S
        self._outbox = Outbox()
        self._watchdog = Watchdog() if machine.threads else Unwatched()
        self._steps = StepRunner(machine)
        self._connection = WorkerConnection(
            addresses,
            self._outbox,
            first_frame=self._first_frame,
            receive=self._receive,
            tally=tally,
            machine=machine,
        )
        self._workflows = WorkflowRunner(
            registry,
            self._outbox,
            self._steps,
            self._watchdog.guard,
            tally,
            machine.random,
            maximum_cached=max_cached,
            channel=self._channel,
            changed=self._changed.set,
            guarded=guard,
            checks=_checks(check_determinism, self._watchdog.guard),
        )
        self._queries = QueryRunner(
            registry, self._outbox, self._watchdog.guard, self._workflows, channel=self._channel
        )
        self._activities = ActivityRunner(
            registry, self._outbox, tally, machine, maximum_concurrent=hello.activity_slots
        )
        self._renewal = self._loop.call_later(self._task_timeout_s / 3, self._renew)

    async def run(self) -> None:
        try:
            await self._connection.run()
        finally:
            self._renewal.cancel()
            await self._queries.close()
            await self._workflows.hand_everything_back()
            await self._activities.close()
            self._steps.close()
            self._watchdog.close()

    async def drain(self, within_s: float | None) -> None:
        """Finish what is in hand, at most for so long."""
        self._workflows.draining = self._activities.draining = True
        self._outbox.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._workflows.busy or self._activities.busy:
                    self._changed.clear()
                    await self._changed.wait()

    async def keep(self, run_ids: Iterable[str], *, only: bool) -> None:
        """Until the engine has acknowledged it. After the next call, until that."""
        number = self._hello.keep_runs.number + 1
        runs = worker_service_pb2.KeepRuns(number=number, run_ids=run_ids, only=only)
        self._hello.keep_runs.CopyFrom(runs)
        self._outbox.keep(runs)
        while self._runs_kept < number:
            self._changed.clear()
            await self._changed.wait()

    @property
    def load(self) -> Load:
        return Load(
            workflow_tasks=self._workflows.in_hand,
            activities=self._activities.running,
            cached_runs=self._workflows.cached,
            connected=self.connected,
            blocked_s=self._watchdog.blocked_s,
        )

    @property
    def draining(self) -> bool:
        """It takes no more tasks."""
        return self._workflows.draining

    @property
    def connected(self) -> bool:
        """Whether an engine is there to hear anything."""
        return self._connection.channel is not None

    async def close(self) -> None:
        """Hand back what is left, and end the stream behind it."""
        await self._workflows.hand_everything_back()
        await self._activities.hand_everything_back()
        self._outbox.close()

    def _channel(self) -> grpc.aio.Channel | None:
        return self._connection.channel

    def _first_frame(self) -> bytes:
        """Who this is, and what was not acknowledged; as much of it as fits,
        the rest follows."""
        hello = worker_service_pb2.WorkerHello()
        hello.CopyFrom(self._hello)
        hello.running_activities.extend(self._activities.claims())
        frame = worker_service_pb2.WorkerFrame(hello=hello, drain=self._workflows.draining)
        parts = [frame.SerializeToString()]
        room = _FIRST_FRAME_BYTES
        for entry in (*self._workflows.unacknowledged(), *self._activities.unacknowledged()):
            room -= len(entry)
            if room >= 0:
                parts.append(entry)
            else:
                self._outbox.put(entry)
        return b"".join(parts)

    def _receive(self, frame: worker_service_pb2.EngineFrame) -> None:
        if frame.HasField("welcome"):
            self._welcome(frame.welcome)
        if frame.runs_kept:
            self._runs_kept = max(self._runs_kept, frame.runs_kept)
        # Acknowledgements first: what they free may be needed by the tasks.
        if frame.activity_acks:
            self._activities.receive_acks(frame.activity_acks)
        if frame.task_failure_acks:
            self._workflows.receive_failure_acks(frame.task_failure_acks)
        if frame.segment_acks:
            self._workflows.receive_acks(frame.segment_acks)
        if frame.activity_tasks:
            self._activities.receive_tasks(frame.activity_tasks)
        if frame.workflow_tasks:
            self._workflows.receive_tasks(frame.workflow_tasks)
        if frame.queries:
            self._queries.receive(frame.queries)
        if frame.cancel_activities:
            self._activities.receive_cancels(frame.cancel_activities)
        if frame.lost_activities:
            self._activities.receive_losses(frame.lost_activities)
        self._changed.set()

    def _welcome(self, welcome: worker_service_pb2.EngineWelcome) -> None:
        if welcome.workflow_task_timeout_us:
            self._task_timeout_s = welcome.workflow_task_timeout_us / 1_000_000
            self._renewal.cancel()
            self._renewal = self._loop.call_later(self._task_timeout_s / 3, self._renew)
        if not self.welcomed.is_set():
            self.welcomed.set()
            if self._on_ready is not None:
                self._loop.call_soon(self._on_ready)

    def _renew(self) -> None:
        period = self._task_timeout_s / 3
        self._workflows.renew(period)
        # Also when there is nothing to renew: the engine shows when it was heard last.
        self._outbox.say_something()
        self._renewal = self._loop.call_later(period, self._renew)


def _checks(mode: CheckMode | None, guard: ActivationGuard) -> DeterminismChecks | None:
    if mode is None:
        return None
    # Not in production, so production does not pay for the import.
    from sched_sdk._worker.second_runs import DeterminismChecks

    return DeterminismChecks(mode, guard)

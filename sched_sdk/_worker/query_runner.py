"""Questions to runs: put to the cached instance, or else to a throw-away one.

A cached instance answers when nothing of it is unacknowledged (see RunDriver).
Without one the history is replayed, between the worker's other work, in an
instance that does nothing but answer and is evicted at once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import grpc.aio

from sched_sdk._client.transport import call_details
from sched_sdk._replay.run import WorkflowRun
from sched_sdk._worker.callbacks import in_callback
from sched_sdk._worker.histories import history_slices
from sched_sdk._worker.questions import Question
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import WorkflowBlockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sched_sdk._activations import ActivationGuard
    from sched_sdk._worker.outbox import Outbox
    from sched_sdk._worker.registry import Registry
    from sched_sdk._worker.workflow_runner import WorkflowRunner
    from sched_sdk.api.v1.worker_service_pb2 import QueryTask

__all__ = ["QueryRunner"]

logger = logging.getLogger("sched.worker")

_MAXIMUM_REPLAYS = 4
"""Throw-away instances at once; they share one thread with everything else."""

_CLOSED = frozenset(
    (
        history_pb2.EVENT_TYPE_WORKFLOW_COMPLETED,
        history_pb2.EVENT_TYPE_WORKFLOW_FAILED,
        history_pb2.EVENT_TYPE_WORKFLOW_CANCELED,
        history_pb2.EVENT_TYPE_WORKFLOW_TERMINATED,
        history_pb2.EVENT_TYPE_WORKFLOW_TIMED_OUT,
    )
)


class QueryRunner:
    def __init__(
        self,
        registry: Registry,
        outbox: Outbox,
        guard: ActivationGuard,
        workflows: WorkflowRunner,
        *,
        channel: Callable[[], grpc.aio.Channel | None],
    ) -> None:
        self._registry = registry
        self._outbox = outbox
        self._guard = guard
        self._workflows = workflows
        self._channel = channel
        self._slots = asyncio.Semaphore(_MAXIMUM_REPLAYS)
        self._replays: set[asyncio.Task[None]] = set()

    def receive(self, tasks: Iterable[QueryTask]) -> None:
        """Called from a plain callback of the event loop."""
        for task in tasks:
            question = Question(task, self._outbox)
            if self._workflows.draining:
                question.not_cached()  # somebody else stays longer
            elif not task.full_history:
                self._workflows.ask(question)
            else:
                replay = asyncio.get_running_loop().create_task(
                    self._answer_by_replay(question), name=f"sched-query-{task.workflow_id}"
                )
                self._replays.add(replay)
                replay.add_done_callback(self._replays.discard)

    async def close(self) -> None:
        """The worker stops; the engine asks others when the stream ends."""
        for replay in self._replays:
            replay.cancel()
        if self._replays:
            await asyncio.wait(self._replays)

    async def _answer_by_replay(self, question: Question) -> None:
        async with self._slots:
            replay = _Replay(question, self._registry, self._guard, self._workflows.guarded)
            try:
                async for events in history_slices(question.task, self._channel()):
                    if not await in_callback(replay.add, events):
                        return
                await in_callback(replay.finish)
            except grpc.aio.AioRpcError as error:
                logger.warning(
                    "the history of workflow %s could not be read for a query (%s)",
                    question.task.workflow_id,
                    call_details(error),
                )
                question.not_cached()
            finally:
                await in_callback(replay.evict)


class _Replay:
    """A throw-away instance. All methods are called from plain callbacks."""

    def __init__(
        self, question: Question, registry: Registry, guard: ActivationGuard, guarded: bool
    ) -> None:
        self._guarded_calls = guarded
        self._question = question
        self._registry = registry
        self._guard = guard
        self._name = f"query {question.task.name} of {question.task.workflow_id}"
        self._run: WorkflowRun | None = None
        self._last = history_pb2.HistoryEvent()

    def add(self, events: Sequence[bytes]) -> bool:
        """The next slice of the history. False: the question is answered."""
        parsed = [history_pb2.HistoryEvent.FromString(event) for event in events]
        if self._run is None:
            workflow_type = parsed[0].workflow_started.workflow_type
            definition = self._registry.workflows.get(workflow_type)
            if definition is None:
                self._question.not_cached()
                return False
            self._run = WorkflowRun(definition, guarded=self._guarded_calls)
        self._last = parsed[-1]
        run = self._run
        return self._guarded(lambda: run.replay(parsed))

    def finish(self) -> None:
        """The history is complete: answer."""
        task, run = self._question.task, self._run
        if run is None or self._last.event_id < task.last_event_id:
            self._question.not_cached()  # the stream went, and the history with it
            return

        def catch_up() -> None:
            if self._last.type in _CLOSED:
                run.end_replay()
            else:
                run.catch_up(task.last_event_id)

        if self._guarded(catch_up):
            self._question.put_to(run, self._name, self._guard)

    def evict(self) -> None:
        if self._run is not None:
            self._guard.run(self._name, self._run.evict)

    def _guarded(self, work: Callable[[], None]) -> bool:
        error, blocked_for = self._guard.run(self._name, work)
        if blocked_for:
            error = WorkflowBlockedError(
                f"workflow code blocked the event loop for {blocked_for:.1f} s in replay"
            )
        if error is not None:
            self._question.cannot_replay(error)
        return error is None

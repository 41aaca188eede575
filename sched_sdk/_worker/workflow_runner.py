"""Workflow tasks: from the engine to the run they belong to, and back.

A task whose run is cached and stands at the task's `base` goes straight to
it. Otherwise the run is built from its history, in slices between which the
event loop gets its turn, and the further pages of a long one are read first.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import grpc.aio

from sched_sdk._client.transport import call_details
from sched_sdk._failures import failure_from_exception
from sched_sdk._worker.cache import RunCache
from sched_sdk._worker.callbacks import in_callback
from sched_sdk._worker.histories import SLICE_EVENTS, history_slices
from sched_sdk._worker.outbox import TASK_FAILURES, encode_entry
from sched_sdk._worker.run_driver import RunDriver
from sched_sdk.api.v1 import history_pb2, worker_service_pb2
from sched_sdk.errors import SchedError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Iterator

    from sched_sdk._activations import ActivationGuard
    from sched_sdk._replay.steps import StepCall, StepOutcome
    from sched_sdk._worker.outbox import Outbox
    from sched_sdk._worker.questions import Question
    from sched_sdk._worker.registry import Registry
    from sched_sdk._worker.second_runs import DeterminismChecks
    from sched_sdk._worker.step_runner import StepRunner
    from sched_sdk._worker.tally import Tally
    from sched_sdk.api.v1.history_pb2 import WorkflowTaskFailureCause
    from sched_sdk.api.v1.worker_service_pb2 import SegmentAck, WorkflowTask

__all__ = ["WorkflowRunner"]

logger = logging.getLogger("sched.worker")

_SDK_ERROR = history_pb2.WORKFLOW_TASK_FAILURE_CAUSE_SDK_ERROR


class WorkflowRunner:
    """All workflow tasks of a worker. `channel` gives the connection of the
    current stream, for further pages of histories; `changed` is called when a
    task is not in hand any more."""

    def __init__(
        self,
        registry: Registry,
        outbox: Outbox,
        steps: StepRunner,
        guard: ActivationGuard,
        tally: Tally,
        chance: random.Random,
        *,
        maximum_cached: int,
        channel: Callable[[], grpc.aio.Channel | None],
        changed: Callable[[], None],
        guarded: bool,
        checks: DeterminismChecks | None,
    ) -> None:
        self.guarded = guarded
        self.checks = checks
        self.loop = asyncio.get_running_loop()
        self.guard = guard
        self.tally = tally
        self.random = chance
        self.draining = False
        self._registry = registry
        self._outbox = outbox
        self._steps = steps
        self._channel = channel
        self._changed = changed
        self._cache = RunCache(maximum_cached)
        self._loading: dict[str, tuple[WorkflowTask, asyncio.Task[None]]] = {}
        # Task failures that are not durable yet, by dispatch number.
        self._failures: dict[int, bytes] = {}

    # -- from the engine -------------------------------------------------------------

    def receive_tasks(self, tasks: Iterable[WorkflowTask]) -> None:
        for task in tasks:
            try:
                self._receive(task)
            except SchedError as error:
                logger.error("workflow %s: %s", task.workflow_id, error, extra=_about(task))
            except Exception:
                # Not renewed any more, so the engine gives it out again.
                logger.exception(
                    "a task of workflow %s could not be begun", task.workflow_id, extra=_about(task)
                )

    def receive_acks(self, acks: Iterable[SegmentAck]) -> None:
        for ack in acks:
            driver = self._cache.find(ack.run_id)
            if driver is not None:
                driver.acknowledged(ack)

    def receive_failure_acks(self, dispatches: Iterable[int]) -> None:
        for dispatch in dispatches:
            self._failures.pop(dispatch, None)

    def ask(self, question: Question) -> None:
        """Put a question to the cached instance of its run."""
        driver = self._cache.find(question.task.run_id)
        if driver is None:
            question.not_cached()
        else:
            driver.ask(question)

    def unacknowledged(self) -> Iterator[bytes]:
        """What a new stream begins with."""
        yield from self._failures.values()
        for driver in self._cache.busy:
            entry = driver.unacknowledged
            if entry:
                yield entry

    @property
    def in_hand(self) -> int:
        """How many tasks are being worked on."""
        return self._cache.busy_count + len(self._loading)

    @property
    def cached(self) -> int:
        """How many runs are in memory."""
        return len(self._cache)

    @property
    def busy(self) -> bool:
        """Whether there is a task in hand, or a failure that is not durable."""
        return bool(self._cache.busy_count or self._loading or self._failures)

    def _receive(self, task: WorkflowTask) -> None:
        if self.draining:
            self._outbox.hand_back(task.dispatch)
            return
        loading = self._loading.get(task.run_id)
        if loading is not None:
            self._stop_loading(task.run_id)
        driver = self._cache.find(task.run_id)
        if driver is not None:
            if task.dispatch <= driver.dispatch:
                return  # overtaken on the way
            # A task in several pages is read whole, whatever is cached.
            if driver.base == task.base and (driver.dispatch or not task.more_pages):
                self._continue(driver, task)
                return
            self._drop(driver)
        first = task.events[0] if task.events else b""
        if task.full_history and not task.more_pages and len(task.events) <= SLICE_EVENTS and first:
            driver = self._new_driver(task, first)
            if task.base == 0 or driver.replay(task.events):
                driver.open(task.events if task.base == 0 else (), task.last_event_id)
        else:
            loader = self.loop.create_task(self._load(task), name=f"sched-load-{task.workflow_id}")
            self._loading[task.run_id] = (task, loader)

    def _continue(self, driver: RunDriver, task: WorkflowTask) -> None:
        if driver.dispatch:
            driver.adopt(task.dispatch)
            return
        self._cache.set_busy(driver)
        driver.take(task.dispatch, task.base)
        driver.open(task.events, task.last_event_id)

    def _new_driver(self, task: WorkflowTask, first_event: bytes) -> RunDriver:
        started = history_pb2.HistoryEvent.FromString(first_event).workflow_started
        definition = self._registry.workflows.get(started.workflow_type)
        if definition is None:
            error = SchedError(
                f"this worker has no workflow named {started.workflow_type!r}; it has "
                f"{', '.join(sorted(self._registry.workflows)) or 'none'}"
            )
            self._send_failure(task.run_id, task.dispatch, task.base, _SDK_ERROR, error)
            raise error
        driver = RunDriver(self, task.run_id, task.workflow_id, definition)
        driver.take(task.dispatch, task.base)
        self._cache.set_busy(driver)
        if task.base:
            self.tally.replays += 1
        return driver

    # -- long histories --------------------------------------------------------------

    async def _load(self, task: WorkflowTask) -> None:
        driver: RunDriver | None = None
        try:
            async for events in history_slices(task, self._channel()):
                if driver is None:
                    driver = self._new_driver(task, events[0])
                if not await in_callback(driver.replay, events):
                    return
            if driver is not None:
                await in_callback(driver.open, (), task.last_event_id)
        except grpc.aio.AioRpcError as error:
            logger.warning(
                "the history of workflow %s could not be read (%s); its task goes back",
                task.workflow_id,
                call_details(error),
                extra=_about(task),
            )
            await in_callback(self._give_up_loading, task, driver)
        except SchedError as error:
            logger.error("workflow %s: %s", task.workflow_id, error, extra=_about(task))
        finally:
            known = self._loading.get(task.run_id)
            if known is not None and known[0] is task:
                del self._loading[task.run_id]
                self._changed()

    def _give_up_loading(self, task: WorkflowTask, driver: RunDriver | None) -> None:
        if driver is not None:
            self._drop(driver)
        self._outbox.hand_back(task.dispatch)

    def _stop_loading(self, run_id: str) -> None:
        _, loader = self._loading.pop(run_id)
        loader.cancel()
        driver = self._cache.find(run_id)
        if driver is not None:
            self._drop(driver)

    def _drop(self, driver: RunDriver) -> None:
        self._cache.remove(driver)
        if not driver.dead:
            driver.evict()

    # -- for the drivers -------------------------------------------------------------

    def send(self, entry: bytes) -> None:
        self._outbox.put(entry)

    def start_step(self, call: StepCall, done: Callable[[StepOutcome], None]) -> asyncio.Task[None]:
        return self._steps.start(call, done)

    def answered(self, driver: RunDriver) -> None:
        self._cache.set_idle(driver)
        for surplus in self._cache.surplus():
            self.tally.evictions += 1
            surplus.evict()
            self._outbox.evicted(surplus.run_id)

    def discard(self, driver: RunDriver) -> None:
        self._cache.remove(driver)

    def spoiled(self, driver: RunDriver) -> None:
        if driver.dispatch:
            self.hand_back(driver)
        else:
            self._cache.remove(driver)
            self._outbox.evicted(driver.run_id)

    def hand_back(self, driver: RunDriver) -> None:
        self.tally.workflow_tasks["returned"] += 1
        self._cache.remove(driver)
        self._outbox.hand_back(driver.dispatch)
        self._changed()

    def task_failed(
        self, driver: RunDriver, cause: WorkflowTaskFailureCause.ValueType, error: BaseException
    ) -> None:
        self._cache.remove(driver)
        logger.error(
            "workflow %s cannot go on: %s",
            driver.workflow_id,
            error,
            exc_info=_unexpected(error),
            extra={**_about(driver), "workflow_name": driver.workflow_name},
        )
        self._send_failure(driver.run_id, driver.dispatch, driver.task_base, cause, error)

    def _send_failure(
        self,
        run_id: str,
        dispatch: int,
        base: int,
        cause: WorkflowTaskFailureCause.ValueType,
        error: BaseException,
    ) -> None:
        self.tally.workflow_tasks["failed"] += 1
        failure = worker_service_pb2.WorkflowTaskFailure(
            run_id=run_id,
            dispatch=dispatch,
            base=base,
            cause=cause,
            failure=failure_from_exception(error),
        )
        entry = encode_entry(TASK_FAILURES, failure)
        self._failures[dispatch] = entry
        self._outbox.put(entry)

    # -- time ------------------------------------------------------------------------

    def renew(self, older_than_s: float) -> None:
        """Tell the engine that the tasks held for longer are still worked on."""
        limit = self.loop.time() - older_than_s
        held = {driver.dispatch for driver in self._cache.busy if driver.held_since <= limit}
        held.update(task.dispatch for task, _ in self._loading.values())
        if held:
            self._outbox.renew(sorted(held))

    async def hand_everything_back(self) -> None:
        """The worker stops: what is not answered goes to others."""
        await in_callback(self._hand_back_all)

    def _hand_back_all(self) -> None:
        for run_id in list(self._loading):
            task, _ = self._loading[run_id]
            self._stop_loading(run_id)
            self._outbox.hand_back(task.dispatch)
        for driver in self._cache.clear():
            driver.evict()
            if driver.dispatch:
                self._outbox.hand_back(driver.dispatch)


def _about(of: WorkflowTask | RunDriver) -> dict[str, str]:
    """Fields of a log record."""
    return {"workflow_id": of.workflow_id, "run_id": of.run_id}


def _unexpected(error: BaseException) -> BaseException | None:
    """Errors of our own say what is to be said; others come with a traceback."""
    return None if isinstance(error, SchedError) else error

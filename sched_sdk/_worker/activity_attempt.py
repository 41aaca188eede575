"""One attempt of an activity, from its arguments to its report."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sched_sdk._activity_context import (
    ActivityContext,
    ActivityInfo,
    CompleteElsewhere,
    current_activity,
)
from sched_sdk._client.transport import check_payload
from sched_sdk._failures import failure_from_exception
from sched_sdk._tracing import spans
from sched_sdk._worker.heartbeats import Heartbeats, interval_s
from sched_sdk._worker.tally import status_of
from sched_sdk.api.v1 import worker_service_pb2
from sched_sdk.errors import (
    CanceledFailureError,
    LimitExceededError,
    PayloadError,
    TimeoutFailureError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._definitions import ActivityDefinition
    from sched_sdk._spans import ActivitySpan
    from sched_sdk._worker.threads import Threads
    from sched_sdk.api.v1 import common_pb2
    from sched_sdk.api.v1.worker_service_pb2 import ActivityReport, ActivityTask

__all__ = ["ActivityAttempt"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ActivityAttempt:
    """Runs as an asyncio task (`async def`) or in a thread (`def`), and makes
    the report. Cancelling reaches an `async def` as CancelledError; a thread
    is never interrupted, it learns of it from its context."""

    def __init__(
        self,
        message: ActivityTask,
        definition: ActivityDefinition,
        threads: Threads,
        send_heartbeat: Callable[[ActivityTask, common_pb2.Payload | None], None],
        *,
        began: float,
    ) -> None:
        self.message = message
        self.began = began
        self._definition = definition
        self._threads = threads
        self._loop = asyncio.get_running_loop()
        self._cancel_requested = False
        self._timed_out = False
        self._abandoned = False
        self._call: asyncio.Future[Any] | None = None
        self._done: Callable[[ActivityAttempt, ActivityReport], None]
        self._deadline: asyncio.TimerHandle | None = None
        self._span: ActivitySpan | None = None
        self.heartbeats = Heartbeats(
            self._loop,
            interval_s(message.heartbeat_timeout_us),
            functools.partial(send_heartbeat, message),
        )
        self._context = ActivityContext(
            _info(message),
            task_token=message.task_token,
            heartbeat=self.heartbeats.beat,
            is_async=definition.is_async,
            heartbeat_details=(
                message.heartbeat_details if message.HasField("heartbeat_details") else None
            ),
        )
        if message.cancel_requested:
            self._loop.call_soon(self.cancel, "the workflow asked for it")

    @property
    def task(self) -> asyncio.Future[Any] | None:
        """What runs in the event loop and can be cancelled."""
        return self._call if self._definition.is_async else None

    def cancel(self, reason: str) -> None:
        """The activity is to stop."""
        self._cancel_requested = True
        self._stop(reason)

    def abandon(self, reason: str) -> None:
        """Nobody wants the result any more; how it ends does not matter."""
        self._abandoned = True
        self.heartbeats.close()
        self._stop(reason)

    def _stop(self, reason: str) -> None:
        self._context.request_cancel(reason)
        if self._definition.is_async and self._call is not None:
            self._call.cancel(reason)

    def start(self, done: Callable[[ActivityAttempt, ActivityReport], None]) -> None:
        """Run it; `done` gets the report, whatever the function does."""
        self._done = done
        tracing = spans()
        if tracing is not None:
            self._span = tracing.ActivitySpan(self.message)
        if self.message.start_to_close_us:
            # The engine does the same and tells the workflow; this frees the slot.
            self._deadline = self._loop.call_later(
                self.message.start_to_close_us / 1_000_000, self._time_out
            )
        try:
            arguments = self._definition.decode_arguments(self.message.input)
        except Exception as error:
            self._loop.call_soon(self._end, None, error)
            return
        self._call = self._begin(arguments)
        self._call.add_done_callback(self._returned)

    def _returned(self, call: asyncio.Future[Any]) -> None:
        if call.cancelled():
            self._end(None, asyncio.CancelledError("canceled"))
            return
        error = call.exception()
        self._end(call.result() if error is None else None, error)

    def _end(self, result: Any, error: BaseException | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        message = self.message
        report = worker_service_pb2.ActivityReport(
            run_id=message.run_id, seq=message.seq, dispatch=message.dispatch
        )
        if error is None:
            try:
                payload = self._definition.encode_result(result)
                check_payload(payload, f"the result of activity {self._definition.name}")
                report.result.CopyFrom(payload)
            except Exception as problem:
                error = problem
        if isinstance(error, CompleteElsewhere):
            report.detached = True
        elif error is not None:
            self._describe(error, report)
        if self._span is not None:
            status = "abandoned" if self._abandoned else status_of(report)
            self._span.end(status, report.failure if status == "failed" else None, error)
        self._done(self, report)

    def _begin(self, arguments: list[Any]) -> asyncio.Future[Any]:
        context = contextvars.copy_context()
        context.run(current_activity.set, self._context)
        if self._span is not None:
            self._span.enter(context)
        if self._definition.is_async:
            name = f"sched-activity-{self._definition.name}"
            return self._loop.create_task(
                _guard_exit(self._definition.fn, arguments), name=name, context=context
            )
        return self._threads.submit(functools.partial(context.run, self._definition.fn, *arguments))

    def _time_out(self) -> None:
        self._timed_out = True
        self._stop("its start_to_close timeout passed")

    def _describe(self, error: BaseException, report: ActivityReport) -> None:
        stopped = isinstance(error, asyncio.CancelledError | CanceledFailureError)
        if stopped and self._cancel_requested:
            report.canceled.CopyFrom(failure_from_exception(error))
            return
        if stopped and self._timed_out:
            limit = timedelta(microseconds=self.message.start_to_close_us)
            error = TimeoutFailureError(
                f"activity {self._definition.name} took longer than start_to_close ({limit})",
                type="start_to_close",
            )
        failure = failure_from_exception(error)
        # Another try would meet the same.
        failure.non_retryable |= isinstance(error, PayloadError | LimitExceededError)
        report.failure.CopyFrom(failure)


async def _guard_exit(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """`sys.exit()` in an activity ends the activity, not the worker."""
    try:
        return await function(*arguments)
    except SystemExit as error:
        raise RuntimeError(f"SystemExit left the function: {error}") from error


def _info(message: ActivityTask) -> ActivityInfo:
    return ActivityInfo(
        workflow_id=message.workflow_id,
        run_id=message.run_id,
        workflow_type=message.workflow_type,
        activity_name=message.name,
        seq=message.seq,
        task_queue=message.task_queue,
        attempt=message.attempt,
        maximum_attempts=message.maximum_attempts,
        scheduled_time=_EPOCH + timedelta(microseconds=message.scheduled_time_us),
        started_time=_EPOCH + timedelta(microseconds=message.started_time_us),
        start_to_close=_optional(message.start_to_close_us),
        heartbeat_timeout=_optional(message.heartbeat_timeout_us),
    )


def _optional(duration_us: int) -> timedelta | None:
    return timedelta(microseconds=duration_us) if duration_us else None

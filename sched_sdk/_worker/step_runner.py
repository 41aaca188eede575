"""Runs the steps of workflows: in the event loop, or in a thread for a `def`.

Short waits between tries are waited here. A longer one is handed back with the
failure and becomes a durable timer.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sched_sdk import _payloads
from sched_sdk._client.transport import check_payload
from sched_sdk._failures import failure_from_exception
from sched_sdk._policy import RetryPolicy
from sched_sdk._replay.steps import StepOutcome
from sched_sdk._worker.threads import thread_pool
from sched_sdk.errors import LimitExceededError, PayloadError, TimeoutFailureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._client.machine import Machine
    from sched_sdk._replay.steps import StepCall
    from sched_sdk.api.v1 import common_pb2

__all__ = ["DEFAULT_STEP_TIMEOUT", "StepRunner"]

DEFAULT_STEP_TIMEOUT = timedelta(seconds=30)
"""One attempt of a step may take this long, unless the call says otherwise."""

_LONGEST_LOCAL_WAIT = timedelta(seconds=3)
_THREADS = 64
_DEFAULT_POLICY = RetryPolicy()
_MICROSECOND = timedelta(microseconds=1)


class StepRunner:
    """Shared by all runs of a worker."""

    def __init__(self, machine: Machine) -> None:
        self._loop = asyncio.get_running_loop()
        self._monotonic = machine.monotonic
        self._threads = thread_pool(machine, _THREADS, "sched-step")

    def start(self, call: StepCall, done: Callable[[StepOutcome], None]) -> asyncio.Task[None]:
        """Run a step; `done` gets the outcome, unless the task is cancelled."""
        return self._loop.create_task(self._run(call, done), name=f"sched-step-{call.name}")

    def close(self) -> None:
        self._threads.close()

    async def _run(self, call: StepCall, done: Callable[[StepOutcome], None]) -> None:
        policy = call.retry or _DEFAULT_POLICY
        limit = DEFAULT_STEP_TIMEOUT if call.timeout is None else call.timeout
        began = self._monotonic()
        attempt = call.attempt
        while True:
            outcome = await self._attempt(call, limit)
            retry_after = timedelta(0)
            if not isinstance(outcome, BaseException):
                done(StepOutcome(call.seq, attempt, outcome, None, self._since(began)))
                return
            failure = failure_from_exception(outcome)
            failure.non_retryable |= isinstance(outcome, PayloadError | LimitExceededError)
            if _may_retry(policy, attempt, failure):
                retry_after = policy.backoff(attempt)
                if retry_after <= _LONGEST_LOCAL_WAIT:
                    await asyncio.sleep(retry_after.total_seconds())
                    attempt += 1
                    continue
            retry_after_us = retry_after // _MICROSECOND
            done(StepOutcome(call.seq, attempt, None, failure, self._since(began), retry_after_us))
            return

    def _since(self, began: float) -> int:
        return int((self._monotonic() - began) * 1_000_000)

    async def _attempt(
        self, call: StepCall, limit: timedelta
    ) -> common_pb2.Payload | BaseException:
        task = asyncio.current_task()
        assert task is not None
        try:
            async with asyncio.timeout(limit.total_seconds()) as timer:
                value = await self._invoke(call)
            payload = _payloads.encode(value)
            check_payload(payload, f"the result of step {call.name}")
        except asyncio.CancelledError as error:
            if task.cancelling():
                raise  # the run does not want the step any more
            return error
        except TimeoutError as error:
            if not timer.expired():
                return error
            return TimeoutFailureError(
                f"step {call.name} ({call.call_site}) took longer than {limit}; give it more "
                "with `timeout=`, or make it an activity",
                type="start_to_close",
            )
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return error
        return payload

    async def _invoke(self, call: StepCall) -> Any:
        if _is_async(call.fn):
            return await call.fn(*call.args, **call.kwargs)
        function = functools.partial(call.fn, *call.args, **call.kwargs)
        value = await self._threads.submit(function)
        # A lambda or a callable object may have made a coroutine.
        return await value if inspect.isawaitable(value) else value


def _is_async(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - its nature, not its presence
    )


def _may_retry(policy: RetryPolicy, attempt: int, failure: common_pb2.Failure) -> bool:
    if failure.non_retryable or 0 < policy.maximum_attempts <= attempt:
        return False
    return failure.type not in policy.to_proto().non_retryable_error_types

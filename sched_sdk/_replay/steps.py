"""Steps: short functions that the worker runs in place, durably.

Asking for a step records nothing; its outcome does. A step takes its number
when the activation that asked for it ends, and the recorded outcome must name
that number.

The worker tries a failed step again by itself while the wait is short. When
it reports a failure with `retry_after_us`, the wait becomes a durable timer;
when that fires, the step is asked for again under a new number.

Cancelling a waiter ends a step at once: its outcome, if it still comes, is
dropped and leaves no trace. So do steps that nobody waits for when the
workflow function ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from sched_sdk._failures import exception_from_failure
from sched_sdk._payloads import encode
from sched_sdk._policy import RetryPolicy
from sched_sdk._replay.call_sites import CallSite, format_site
from sched_sdk._replay.futures import ReplayFuture
from sched_sdk.api.v1 import common_pb2, worker_service_pb2
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from sched_sdk._replay.journal import Journal
    from sched_sdk._replay.loop import DurableTimer, ReplayLoop

__all__ = ["StepCall", "StepFuture", "StepOutcome", "StepRequest", "ask"]

T = TypeVar("T")

NOTHING = encode(None)


@dataclass(frozen=True, slots=True)
class StepCall:
    """A step that the worker is to run."""

    seq: int
    name: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    retry: RetryPolicy | None
    """None: the default policy."""
    timeout: timedelta | None
    """The limit of one attempt."""
    attempt: int
    """The number of the next attempt; above 1 when earlier ones are in history."""
    call_site: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """How a step ended. Exactly one of `result` and `failure` is set."""

    seq: int
    attempt: int
    """The number of the last attempt."""
    result: common_pb2.Payload | None = None
    failure: common_pb2.Failure | None = None
    duration_us: int = 0
    retry_after_us: int = 0
    """Above 0: failed, to be tried again after a durable timer of this length."""

    def to_message(self, name: str) -> worker_service_pb2.RecordStep:
        message = worker_service_pb2.RecordStep(
            name=name,
            attempt=self.attempt,
            duration_us=self.duration_us,
            retry_after_us=self.retry_after_us,
        )
        if self.failure is not None:
            message.failure.CopyFrom(self.failure)
        else:
            message.result.CopyFrom(NOTHING if self.result is None else self.result)
        return message


class StepFuture(ReplayFuture[T]):
    """A step's result to come."""

    __slots__ = ("request",)

    request: StepRequest | None

    def cancel(self, msg: Any = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled and self.request is not None:
            self.request.withdraw()
        return cancelled


class StepRequest:
    """One try of a step, as far as the history knows tries."""

    __slots__ = (
        "args",
        "attempt",
        "decode",
        "fn",
        "future",
        "loop",
        "name",
        "retry",
        "seq",
        "site",
        "timeout",
        "timer",
        "withdrawn",
    )

    def __init__(
        self,
        loop: ReplayLoop,
        future: StepFuture[Any],
        name: str,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        decode: Callable[[common_pb2.Payload], Any],
        retry: RetryPolicy | None,
        timeout: timedelta | None,
        attempt: int,
        site: CallSite,
    ) -> None:
        self.seq = 0
        self.loop = loop
        self.future = future
        self.name = name
        self.fn = fn
        self.args = args
        self.decode = decode
        self.retry = retry
        self.timeout = timeout
        self.attempt = attempt
        self.site = site
        self.timer: DurableTimer | None = None
        self.withdrawn = False

    def settle(self, journal: Journal) -> None:
        if self.withdrawn:
            return
        self.seq = journal.take_number()
        journal.steps[self.seq] = self

    def withdraw(self) -> None:
        self.withdrawn = True
        journal = self.loop.journal
        if self.timer is not None:
            self.timer.cancel()
        elif journal.steps.pop(self.seq, None) is not None:
            journal.abandoned_steps.add(self.seq)

    @property
    def call_site(self) -> str:
        return format_site(self.site)

    def describe(self) -> str:
        return f"step {self.name}"

    def to_call(self) -> StepCall:
        return StepCall(
            seq=self.seq,
            name=self.name,
            fn=self.fn,
            args=self.args,
            retry=self.retry,
            timeout=self.timeout,
            attempt=self.attempt,
            call_site=self.call_site,
        )

    # The request has left the journal when one of these is called.

    def resolve_completed(self, payload: common_pb2.Payload) -> None:
        future = self.future
        future.request = None
        try:
            result = self.decode(payload)
        except PayloadError as error:
            unfit = PayloadError(f"the result of step {self.name}: {error}")
            unfit.__cause__ = error
            future.set_exception(unfit)
        else:
            future.set_result(result)

    def resolve_failed(
        self, failure: common_pb2.Failure, attempt: int, retry_after_us: int
    ) -> None:
        if retry_after_us > 0:
            self.attempt = attempt + 1
            self.timer = self.loop.start_timer(retry_after_us, self._ask_again, site=self.site)
            return
        self.future.request = None
        self.future.set_exception(exception_from_failure(failure))

    def _ask_again(self) -> None:
        self.timer = None
        self.seq = 0
        self.loop.journal.add(self)


def ask(
    loop: ReplayLoop,
    name: str,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    decode: Callable[[common_pb2.Payload], Any],
    retry: RetryPolicy | None,
    timeout: timedelta | None,
    site: CallSite,
) -> StepFuture[Any]:
    future: StepFuture[Any] = StepFuture(loop=loop)
    future.order = loop.next_order()
    future.request = StepRequest(loop, future, name, fn, args, decode, retry, timeout, 1, site)
    loop.journal.add(future.request)
    return future

"""Activities as the code sees them: a handle that is a future.

Cancelling a handle, or a task that awaits it, asks for cancellation and waits
for the outcome; the activity decides how it ends:

    the outcome            the handle
    completed              has the result, even after it was asked to cancel
    failed, timed out      raises ActivityError
    canceled, and asked    is cancelled
    canceled, not asked    raises ActivityError
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from sched_sdk._failures import exception_from_failure
from sched_sdk._replay.call_sites import user_frame
from sched_sdk._replay.commands import RequestCancelActivity, ScheduleActivity
from sched_sdk._replay.futures import ReplayFuture
from sched_sdk.errors import ActivityError, PayloadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sched_sdk._replay.journal import Journal
    from sched_sdk._replay.loop import ReplayLoop
    from sched_sdk.api.v1 import common_pb2

__all__ = ["ActivityHandle", "queue"]

T = TypeVar("T")


class ActivityHandle(ReplayFuture[T]):
    """A queued activity. Await it for its typed result.

    It is a real future: `asyncio.gather`, `wait`, `shield` and `wait_for` take
    it. One that is never awaited is fire-and-forget: the activity runs, the
    workflow closes only after it, and its failure is ignored.

    Raises ActivityError when awaited and the activity failed for good; its
    `__cause__` is the last attempt's failure (a TimeoutFailureError if a time
    limit passed).
    """

    __slots__ = ("_cancel_asked", "_command", "_decode", "_journal")

    _command: ScheduleActivity
    _decode: Callable[[common_pb2.Payload], T]
    _journal: Journal
    _cancel_asked: bool

    @property
    def command(self) -> ScheduleActivity:
        """What was asked for."""
        return self._command

    @property
    def activity_name(self) -> str:
        return self._command.name

    def cancel(self, msg: Any = None) -> bool:
        """Ask the activity to stop. The handle is done when the activity is:
        cancelled if it stopped, with its result if it completed anyway.
        Returns False if the outcome is known already."""
        if self.done():
            return False
        if self._journal.evicted:
            return super().cancel(msg)
        if not self._cancel_asked:
            self._cancel_asked = True
            self._journal.add(RequestCancelActivity(self._command, user_frame()))
        return True

    def settle(self, journal: Journal) -> None:
        command = self._command
        command.seq = journal.take_number()
        journal.activities[command.seq] = self
        journal.produced.append(command)

    def resolve_completed(self, payload: common_pb2.Payload) -> None:
        try:
            result = self._decode(payload)
        except PayloadError as error:
            unfit = PayloadError(f"the result of activity {self.activity_name}: {error}")
            unfit.__cause__ = error
            self._fail(unfit)
        else:
            self.set_result(result)

    def resolve_failed(self, failure: common_pb2.Failure, attempts: int) -> None:
        cause = exception_from_failure(failure)
        if isinstance(cause, ActivityError):
            self._fail(cause)
            return
        after = f" after {attempts} attempts" if attempts > 1 else ""
        error = ActivityError(
            f"activity {self.activity_name} failed{after}: {cause}",
            activity_name=self.activity_name,
        )
        error.__cause__ = cause
        self._fail(error)

    def resolve_canceled(self, failure: common_pb2.Failure, attempts: int) -> None:
        if self._cancel_asked:
            asyncio.Future.cancel(self)
        else:
            self.resolve_failed(failure, attempts)

    def _fail(self, error: BaseException) -> None:
        self.set_exception(error)
        self.exception()  # a failure that nobody awaits is not worth a warning


def queue(
    loop: ReplayLoop,
    command: ScheduleActivity,
    decode: Callable[[common_pb2.Payload], T],
) -> ActivityHandle[T]:
    handle: ActivityHandle[T] = ActivityHandle(loop=loop)
    handle.order = loop.next_order()
    handle._command = command
    handle._decode = decode
    handle._journal = loop.journal
    handle._cancel_asked = False
    loop.journal.add(handle)
    return handle

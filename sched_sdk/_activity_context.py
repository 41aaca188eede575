"""What an activity knows about itself while it runs.

The worker makes one ActivityContext per attempt and sets it in a context
variable; for a plain `def` it runs the function in a copy of that context, so
`activity_context()` works in its thread too.
"""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, overload

from sched_sdk import _payloads
from sched_sdk.errors import CanceledFailureError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from datetime import datetime, timedelta

    from sched_sdk.api.v1 import common_pb2

T = TypeVar("T")

__all__ = ["ActivityContext", "ActivityInfo", "CompleteElsewhere", "activity_context"]

logger = logging.getLogger("sched.activity")


class CompleteElsewhere(BaseException):
    """Ends an attempt whose result comes from elsewhere. No Exception, so that
    an `except Exception` in user code lets it pass."""


@dataclass(frozen=True, slots=True)
class ActivityInfo:
    """Which activity this is. Times are aware datetimes in UTC."""

    workflow_id: str
    run_id: str
    workflow_type: str
    activity_name: str
    seq: int
    """Numbers the workflow's commands, in code order."""
    task_queue: str
    attempt: int
    """1 for the first try."""
    maximum_attempts: int
    """0: without limit."""
    scheduled_time: datetime
    started_time: datetime
    start_to_close: timedelta | None = None
    heartbeat_timeout: timedelta | None = None


class ActivityContext:
    """One attempt of an activity, as `activity_context()` gives it."""

    __slots__ = ("_cancel_reason", "_canceled", "_details", "_heartbeat", "_is_async", "_logger",
                 "info", "task_token")  # fmt: skip

    def __init__(
        self,
        info: ActivityInfo,
        *,
        task_token: bytes,
        heartbeat: Callable[[common_pb2.Payload | None], None],
        is_async: bool,
        heartbeat_details: common_pb2.Payload | None = None,
    ) -> None:
        """For the worker. `heartbeat` is called in the thread of the activity
        and must return at once."""
        self.info = info
        self.task_token = task_token
        """Names this attempt to `Client.activity`, from anywhere."""
        self._heartbeat = heartbeat
        self._is_async = is_async
        self._details = heartbeat_details
        self._canceled = threading.Event()
        self._cancel_reason = ""
        self._logger: logging.LoggerAdapter[logging.Logger] | None = None

    @property
    def attempt(self) -> int:
        """1 for the first try."""
        return self.info.attempt

    @property
    def cancelled(self) -> bool:
        """Whether the activity was asked to stop. An `async def` is also
        cancelled; a plain `def` learns it here or from `heartbeat`."""
        return self._canceled.is_set()

    @property
    def cancel_reason(self) -> str:
        """Why the activity was asked to stop; empty until then."""
        return self._cancel_reason

    def wait_cancelled(self, timeout: float | None = None) -> bool:
        """Block the thread of a plain `def` until it is asked to stop, at most
        `timeout` seconds; returns whether it was."""
        return self._canceled.wait(timeout)

    def heartbeat(self, details: Any = None) -> None:
        """Say that the activity is alive, and how far it has come. A later
        attempt finds `details` in `last_heartbeat_details`. May be called
        often (the worker sends only what is due) and from any thread.

        Raises CanceledFailureError in a plain `def` once the activity was asked
        to stop: let it pass, or clean up and raise it again. (An `async def` is
        cancelled at its next `await` instead.) Raises PayloadError for details
        that cannot be encoded.
        """
        self._heartbeat(None if details is None else _payloads.encode(details))
        if self._canceled.is_set() and not self._is_async:
            raise CanceledFailureError(self._cancel_reason or "canceled")

    @property
    def last_heartbeat_details(self) -> Any:
        """What the previous attempt reported last; None if nothing."""
        return self.heartbeat_details_as(Any)

    @overload
    def heartbeat_details_as(self, type: type[T]) -> T | None: ...
    @overload
    def heartbeat_details_as(self, type: Any) -> Any: ...
    def heartbeat_details_as(self, type: Any) -> Any:  # noqa: A002 - as elsewhere
        """`last_heartbeat_details` read as a type. Raises PayloadError if they
        do not fit."""
        return None if self._details is None else _payloads.decode(self._details, type)

    def complete_elsewhere(self) -> NoReturn:
        """End this attempt without a result: someone who has `task_token` will
        report it with `client.activity(task_token)`. Time limits go on."""
        raise CompleteElsewhere

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """The logger "sched.activity"; each record says which activity wrote it."""
        if self._logger is None:
            self._logger = _ActivityLogger(
                logger,
                {
                    "workflow_id": self.info.workflow_id,
                    "run_id": self.info.run_id,
                    "workflow_name": self.info.workflow_type,
                    "activity_name": self.info.activity_name,
                    "attempt": self.info.attempt,
                },
            )
        return self._logger

    def request_cancel(self, reason: str = "") -> None:
        """For the worker: ask the activity to stop."""
        if not self._canceled.is_set():
            self._cancel_reason = reason
            self._canceled.set()


class _ActivityLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the activity's fields and keeps those of the call."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


current_activity: contextvars.ContextVar[ActivityContext] = contextvars.ContextVar(
    "sched_activity_context"
)
"""Set by the worker around the activity function."""


def activity_context() -> ActivityContext:
    """The context of the running activity. Raises DefinitionError elsewhere.

    In a thread that the activity itself starts, pass the context on, or run
    the thread's function with `contextvars.copy_context().run`.
    """
    context = current_activity.get(None)
    if context is None:
        raise DefinitionError(
            "activity_context() was called outside a running activity. In a workflow use the "
            "`ctx` parameter; in a thread of your own pass the context on."
        )
    return context

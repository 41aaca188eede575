"""Every error that sched raises.

SchedError
├── EngineError                      the engine refused or could not be reached
│   ├── EngineUnavailableError       nobody answers; the message says what to do
│   ├── AuthenticationError          token or certificate: one side does not accept the other
│   ├── WorkflowNotFoundError
│   ├── WorkflowAlreadyStartedError  .workflow_id, .run_id
│   ├── WorkflowClosedError          the target has ended
│   ├── InvalidArgumentError         a value or name the engine does not take
│   ├── LimitExceededError           a size or count over its limit
│   ├── ActivityNotFoundError        no such running activity (task token)
│   ├── QueryNotFoundError           the workflow has no such query; .known
│   ├── QueryFailedError             its handler raised, or tried to change something; __cause__
│   └── NoWorkerError                no worker can answer for the workflow; __cause__
├── WorkflowFailedError              awaiting a result: it ended otherwise; .status, __cause__
├── FailureError                     an exception that crossed a process; .message, .type,
│   │                                .details, .remote_traceback, __cause__
│   ├── ApplicationError             raised by user code, or by you to set type and details
│   ├── TimeoutFailureError          a time limit passed (also a TimeoutError)
│   ├── CanceledFailureError         ended because it was canceled
│   ├── TerminatedFailureError
│   ├── WorkerLostError              the worker died and the activity may not run again
│   └── ActivityError                an activity failed for good; .activity_name, __cause__
├── ChildWorkflowError
├── NonDeterminismError              the code does something else than its history says
├── PayloadError                     a value cannot be encoded, or does not fit its type
├── DefinitionError                  a workflow, activity or worker is declared wrongly
├── CaptureError                     a captured history cannot be read or made
├── WorkflowBlockedError             workflow code blocked the event loop
└── ForbiddenCallError               workflow code called a clock, a file, a thread … (also a
                                     RuntimeError); .call, .call_site, .instead
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "ActivityError",
    "ActivityNotFoundError",
    "ApplicationError",
    "AuthenticationError",
    "CanceledFailureError",
    "CaptureError",
    "ChildWorkflowError",
    "DefinitionError",
    "EngineError",
    "EngineUnavailableError",
    "FailureError",
    "ForbiddenCallError",
    "InvalidArgumentError",
    "LimitExceededError",
    "NoWorkerError",
    "NonDeterminismError",
    "PayloadError",
    "QueryFailedError",
    "QueryNotFoundError",
    "SchedError",
    "TerminatedFailureError",
    "TimeoutFailureError",
    "WorkerLostError",
    "WorkflowAlreadyStartedError",
    "WorkflowBlockedError",
    "WorkflowClosedError",
    "WorkflowFailedError",
    "WorkflowNotFoundError",
]


class SchedError(Exception):
    """The root of all errors of sched."""


class EngineError(SchedError):
    """The engine refused a call or could not be reached."""


class EngineUnavailableError(EngineError):
    """No engine answered in time. Whether the call took effect is unknown;
    calls of the SDK carry request ids and may be repeated."""


class AuthenticationError(EngineError):
    """Engine and caller do not accept each other: a token that is missing or wrong, a
    certificate that is not trusted, or TLS on one side only. The message says which,
    and what to do; calling again does not help."""


class WorkflowNotFoundError(EngineError):
    """No workflow (or run) has this id."""


class WorkflowAlreadyStartedError(EngineError):
    """The workflow id is taken by a running workflow."""

    def __init__(self, message: str, *, workflow_id: str = "", run_id: str = "") -> None:
        super().__init__(message)
        self.workflow_id = workflow_id
        self.run_id = run_id


class WorkflowClosedError(EngineError):
    """The workflow has ended; it takes no signals or cancellations any more."""


class InvalidArgumentError(EngineError):
    """The engine does not take this value; the message names it."""


class LimitExceededError(EngineError):
    """Over a limit; the message names the limit, the value and the remedy."""


class ActivityNotFoundError(EngineError):
    """The task token names no running activity attempt."""


class QueryNotFoundError(EngineError):
    """The workflow has no query of that name, or has not declared it yet."""

    def __init__(self, message: str, *, known: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.known = tuple(known)
        """The names of the queries that it has."""


class QueryFailedError(EngineError):
    """The query's handler raised, or tried to change the workflow. `__cause__`
    is what it raised, with the traceback of the worker."""


class NoWorkerError(EngineError):
    """No worker can answer for the workflow: none serves it, or its code does
    not get past its history; then `__cause__` says why."""


class WorkflowFailedError(SchedError):
    """A workflow did not complete. `__cause__` says why, `status` how."""

    def __init__(self, message: str, *, status: str, workflow_id: str, run_id: str) -> None:
        super().__init__(message)
        self.status = status
        """FAILED, CANCELED, TERMINATED or TIMED_OUT."""
        self.workflow_id = workflow_id
        self.run_id = run_id


class FailureError(SchedError):
    """An exception that crossed a process boundary."""

    def __init__(
        self,
        message: str,
        *,
        type: str = "",  # noqa: A002 - the field's name in the API
        details: Sequence[Any] = (),
        non_retryable: bool = False,
        remote_traceback: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.type = type or self.__class__.__name__
        """The class name of the original exception."""
        self.details = tuple(details)
        self.non_retryable = non_retryable
        self.remote_traceback = remote_traceback
        """The traceback text of the process where it was raised; may be empty."""

    def __str__(self) -> str:
        if self.type in ("", self.__class__.__name__):
            return self.message
        return f"{self.type}: {self.message}"


class ApplicationError(FailureError):
    """Raised by user code. Raise it yourself to choose `type`, attach
    `details` (any encodable values) or forbid retries (`non_retryable`)."""


class TimeoutFailureError(FailureError, TimeoutError):
    """A time limit passed. `type` is start_to_close, schedule_to_close,
    schedule_to_start, heartbeat or execution."""


class CanceledFailureError(FailureError):
    """Ended because it was canceled."""


class TerminatedFailureError(FailureError):
    """Ended by `terminate`."""


class WorkerLostError(FailureError):
    """The worker died, and `maximum_attempts=1` forbids to run again."""


class ActivityError(FailureError):
    """An activity failed for good. `__cause__` is the last attempt's failure."""

    def __init__(self, message: str, *, activity_name: str = "", **extra: Any) -> None:
        super().__init__(message, **extra)
        self.activity_name = activity_name


class ChildWorkflowError(FailureError):
    """A child workflow did not complete. `__cause__` says why."""


class NonDeterminismError(SchedError):
    """Workflow code does not do what its history says it did.

    The workflow stays open: mend the code, and it goes on by itself.
    """

    def __init__(
        self,
        message: str,
        *,
        event_id: int = 0,
        expected: str = "",
        actual: str = "",
        recorded_call_site: str = "",
        current_call_site: str = "",
        command: object = None,
    ) -> None:
        super().__init__(message)
        self.event_id = event_id
        """The event at which code and history part."""
        self.expected = expected
        """What the history says was done there."""
        self.actual = actual
        """What the code does now; empty if it does nothing."""
        self.recorded_call_site = recorded_call_site
        self.current_call_site = current_call_site
        self.command = command
        """What the code asked for, as tools of the SDK know it; None for nothing."""


class PayloadError(SchedError):
    """A value cannot be encoded, or does not fit the annotated type.
    The message names the path of the bad field."""


class DefinitionError(SchedError):
    """A workflow, an activity or a worker is declared wrongly."""


class CaptureError(SchedError):
    """A captured history cannot be read, or not be made as asked. The message
    names the file and what is wrong with it."""


class WorkflowBlockedError(SchedError):
    """Workflow code kept the event loop busy for too long."""


class ForbiddenCallError(SchedError, RuntimeError):
    """Workflow code called something that gives another answer in replay, or
    that reaches outside of the process.

    The workflow stays open: mend the code, and it goes on by itself. Code that
    catches this error does not go on either.
    """

    def __init__(
        self, message: str, *, call: str = "", call_site: str = "", instead: str = ""
    ) -> None:
        super().__init__(message)
        self.call = call
        """What was called."""
        self.call_site = call_site
        """`file:line` in the app; empty if only library code was running."""
        self.instead = instead
        """What does the same in a workflow."""

"""sched: ordinary Python functions that run durably.

    from sched_sdk import Client, WorkflowContext, activity, workflow

    @activity
    async def send_email(to: str) -> str: ...

    @workflow
    async def monthly_report(ctx: WorkflowContext, month: str) -> str:
        return await ctx.queue_activity(send_email, f"ops-{month}@example.com")

Everything loads at first use, so that importing the package costs next to
nothing: a command-line tool that only needs the errors does not pay for gRPC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_sdk._access import TLS
    from sched_sdk._activity_context import ActivityContext, ActivityInfo, activity_context
    from sched_sdk._client import Client, SyncClient, WorkflowHandle
    from sched_sdk._context import ActivityHandle, Signal, WorkflowContext
    from sched_sdk._definitions import activity, workflow
    from sched_sdk._policy import RetryPolicy
    from sched_sdk._worker import Worker
    from sched_sdk.errors import (
        ActivityError,
        ActivityNotFoundError,
        ApplicationError,
        CanceledFailureError,
        CaptureError,
        ChildWorkflowError,
        DefinitionError,
        EngineError,
        EngineUnavailableError,
        FailureError,
        ForbiddenCallError,
        InvalidArgumentError,
        LimitExceededError,
        NonDeterminismError,
        NoWorkerError,
        PayloadError,
        QueryFailedError,
        QueryNotFoundError,
        SchedError,
        TerminatedFailureError,
        TimeoutFailureError,
        WorkerLostError,
        WorkflowAlreadyStartedError,
        WorkflowBlockedError,
        WorkflowClosedError,
        WorkflowFailedError,
        WorkflowNotFoundError,
    )

    __version__: str

__all__ = [
    "TLS",
    "ActivityContext",
    "ActivityError",
    "ActivityHandle",
    "ActivityInfo",
    "ActivityNotFoundError",
    "ApplicationError",
    "AuthenticationError",
    "CanceledFailureError",
    "CaptureError",
    "ChildWorkflowError",
    "Client",
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
    "RetryPolicy",
    "SchedError",
    "Signal",
    "SyncClient",
    "TerminatedFailureError",
    "TimeoutFailureError",
    "Worker",
    "WorkerLostError",
    "WorkflowAlreadyStartedError",
    "WorkflowBlockedError",
    "WorkflowClosedError",
    "WorkflowContext",
    "WorkflowFailedError",
    "WorkflowHandle",
    "WorkflowNotFoundError",
    "__version__",
    "activity",
    "activity_context",
    "workflow",
]

_HOMES = {
    "ActivityContext": "_activity_context",
    "ActivityInfo": "_activity_context",
    "activity_context": "_activity_context",
    "Client": "_client",
    "SyncClient": "_client",
    "TLS": "_access",
    "WorkflowHandle": "_client",
    "ActivityHandle": "_context",
    "Signal": "_context",
    "WorkflowContext": "_context",
    "activity": "_definitions",
    "workflow": "_definitions",
    "RetryPolicy": "_policy",
    "Worker": "_worker",
}
"""Where each name lives; what is not listed is an error class."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value: Any = _version()
    elif name in __all__:
        value = getattr(import_module(f"sched_sdk.{_HOMES.get(name, 'errors')}"), name)
    else:
        raise AttributeError(f"module 'sched_sdk' has no attribute {name!r}")
    globals()[name] = value  # the next look-up does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sched-engine")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return "0+unknown"

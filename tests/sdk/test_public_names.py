"""What users import. A change here is a change of the public API."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sched_sdk
from sched_sdk import errors

PUBLIC_NAMES = [
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


def test_the_public_names() -> None:
    assert sched_sdk.__all__ == PUBLIC_NAMES
    assert set(PUBLIC_NAMES) <= set(dir(sched_sdk))
    assert set(errors.__all__) <= set(PUBLIC_NAMES)


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_each_name_is_there(name: str) -> None:
    assert getattr(sched_sdk, name) is not None


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'sched_sdk' has no attribute 'wrokflow'"):
        sched_sdk.wrokflow  # noqa: B018 - the look-up is the test


def test_importing_the_package_and_declaring_workflows_loads_no_grpc() -> None:
    code = (
        "import sys, sched_sdk\n"
        "heavy = {'grpc', 'google', 'msgspec', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sched_sdk.workflow, sched_sdk.activity, sched_sdk.RetryPolicy, sched_sdk.PayloadError\n"
        "heavy = {'grpc', 'pydantic', 'sched_sdk._client', 'sched_server'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""Waiting for what a workflow does, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sched_sdk import WorkflowFailedError, WorkflowHandle
from sched_sdk._client import PendingActivity, PendingWorkflowTask, WorkflowDescription

_DEADLINE_S = 10.0


async def until(
    handle: WorkflowHandle[Any], condition: Callable[[WorkflowDescription], object]
) -> WorkflowDescription:
    """Wait until what the engine says of a workflow fulfils a condition."""
    async with asyncio.timeout(_DEADLINE_S):
        while not condition(description := await handle.describe()):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)
    return description


async def until_true(condition: Callable[[], object]) -> None:
    """Wait for something that no event announces."""
    async with asyncio.timeout(_DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.005)


async def failure_of(handle: WorkflowHandle[Any]) -> WorkflowFailedError:
    """How a workflow failed."""
    with pytest.raises(WorkflowFailedError) as caught:
        await handle.result(timeout=_DEADLINE_S)
    return caught.value


def only_activity(description: WorkflowDescription) -> PendingActivity:
    (activity,) = description.activities
    return activity


def task_of(description: WorkflowDescription) -> PendingWorkflowTask:
    assert description.workflow_task is not None
    return description.workflow_task


def runs(description: WorkflowDescription) -> bool:
    """A worker runs an activity of the workflow."""
    return any(activity.state == "STARTED" for activity in description.activities)


def is_stuck(description: WorkflowDescription) -> bool:
    """The workflow's code cannot go on."""
    return description.workflow_task is not None and bool(
        description.workflow_task.last_failure_cause
    )

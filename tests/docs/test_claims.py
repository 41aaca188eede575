"""What the guide says in words or in tables, and no example of it shows."""

from __future__ import annotations

import inspect
import threading
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sched_sdk import (
    ActivityError,
    Client,
    EngineUnavailableError,
    LimitExceededError,
    RetryPolicy,
    Worker,
    WorkerLostError,
    WorkflowClosedError,
    WorkflowContext,
    activity,
    workflow,
)
from sched_sdk._client.requests import StartOptions
from sched_sdk._context import ActivityCallOptions
from sched_sdk._worker.step_runner import DEFAULT_STEP_TIMEOUT
from sched_server.core import state
from sched_server.settings import EngineSettings
from tests.docs.links import broken_links
from tests.docs.markdown import ROOT, pages, table_below
from tests.docs.running import GUIDE
from tests.docs.waiting import failure_of, is_stuck, only_activity, runs, task_of, until

MUCH = "x" * (2 * 1024 * 1024)
go_on = threading.Event()


@pytest.fixture(autouse=True)
def _hold() -> None:
    go_on.clear()


@activity
def waits() -> str:
    go_on.wait(10)
    return "done"


@activity
async def large() -> str:
    return MUCH


@activity
async def takes(text: str) -> None: ...


@workflow
async def forgets(ctx: WorkflowContext) -> None:
    ctx.queue_activity(waits)
    await ctx.sleep(3600)


@workflow
async def at_most_once(ctx: WorkflowContext) -> str:
    try:
        return await ctx.queue_activity(waits, retry=RetryPolicy(maximum_attempts=1))
    except ActivityError as error:
        return type(error.__cause__).__name__


@workflow
async def by_name(ctx: WorkflowContext) -> None:
    await ctx.queue_activity("unheard of", task_queue="nobody")


@workflow
async def returns_much(ctx: WorkflowContext) -> str:
    return MUCH


@workflow
async def sends_much(ctx: WorkflowContext) -> None:
    await ctx.queue_activity(takes, MUCH)


@workflow
async def gets_much(ctx: WorkflowContext) -> str:
    return await ctx.queue_activity(large)


async def test_a_cancelled_workflow_stops_what_it_forgot_and_waits_for_it(client: Client) -> None:
    async with Worker(client, workflows=[forgets], activities=[waits]):
        handle = await client.start_workflow(forgets)
        await until(handle, runs)
        await handle.cancel()
        description = await until(
            handle, lambda d: not d.timers and d.activities[0].cancel_requested
        )
        assert description.status == "RUNNING"
        assert only_activity(description).cancel_requested
        await handle.cancel("again")  # changes nothing
        go_on.set()
        assert (await failure_of(handle)).status == "CANCELED"


async def test_at_most_once_fails_when_its_worker_is_stopped(client: Client) -> None:
    async with Worker(client, workflows=[at_most_once]):
        async with Worker(client, activities=[waits], graceful_shutdown=0):
            handle = await client.start_workflow(at_most_once)
            await until(handle, runs)
        assert await handle.result(timeout=60) == WorkerLostError.__name__
    go_on.set()


async def test_by_name_only_the_retry_policy_has_a_default(client: Client) -> None:
    async with Worker(client, workflows=[by_name]):
        handle = await client.start_workflow(by_name)
        pending = only_activity(await until(handle, lambda d: d.activities))
    assert (pending.maximum_attempts, pending.has_worker) == (5, False)


@pytest.mark.parametrize("flow", [returns_much, sends_much])
async def test_what_a_workflow_sends_over_the_limit_keeps_it_open(
    client: Client, flow: Any
) -> None:
    async with Worker(client, workflows=[flow], activities=[takes]):
        handle = await client.start_workflow(flow)
        description = await until(handle, is_stuck)
    assert description.status == "RUNNING"
    assert task_of(description).last_failure_cause == "LIMIT_EXCEEDED"


async def test_a_large_result_of_an_activity_fails_it_without_retries(client: Client) -> None:
    async with Worker(client, workflows=[gets_much], activities=[large]):
        handle = await client.start_workflow(gets_much)
        cause = (await failure_of(handle)).__cause__
    assert isinstance(cause, ActivityError)
    assert getattr(cause.__cause__, "type", "") == "LimitExceededError"
    types = [event.type async for event in handle.history()]
    assert "ActivityRetryScheduled" not in types


async def test_a_large_argument_is_refused_before_it_is_sent(client: Client) -> None:
    with pytest.raises(LimitExceededError, match=r"limit is 2\.0 MiB"):
        await client.workflow("any").signal("much", MUCH)


async def test_a_closed_workflow_takes_no_signal_but_a_repeated_one(client: Client) -> None:
    handle = await client.start_workflow("Nobody")
    await handle.signal("hello", request_id="one")
    await handle.terminate()
    await handle.signal("hello", request_id="one")
    with pytest.raises(WorkflowClosedError):
        await handle.signal("hello", request_id="two")


async def test_a_request_id_alone_names_a_workflow(client: Client) -> None:
    first = await client.start_workflow("Nobody", request_id="order-4711")
    again = await client.start_workflow("Nobody", request_id="order-4711")
    other = await client.start_workflow("Nobody", request_id="order-4712")
    assert (first.id, first.run_id) == (again.id, again.run_id)
    assert other.id != first.id
    assert (await client.count_workflows()).total == 2


# -- tables ------------------------------------------------------------------------


def names(cell: str) -> list[str]:
    """The `code` in a cell."""
    return cell.split("`")[1::2]


def test_the_retry_policy_has_the_defaults_of_its_table() -> None:
    rows = {
        names(row[0])[0]: row[-1]
        for row in table_below(GUIDE / "errors-and-retries.md", "The retry policy")
    }
    policy = RetryPolicy()
    assert list(rows) == [f.name for f in fields(RetryPolicy) if not f.name.startswith("_")]
    assert rows["initial_interval"] == f"{policy.initial_interval.total_seconds():g} s"
    assert rows["backoff_coefficient"] == f"{policy.backoff_coefficient:g}"
    assert rows["maximum_interval"] == f"{policy.maximum_interval.total_seconds():g} s"
    assert rows["maximum_attempts"] == str(policy.maximum_attempts)
    assert policy.non_retryable_error_types == ()
    tries = [timedelta(0)]
    for attempt in range(1, policy.maximum_attempts):
        tries.append(tries[-1] + policy.backoff(attempt))
    assert [f"{at.total_seconds():g}" for at in tries] == ["0", "1", "3", "7", "15"]


def test_the_options_of_activities_are_in_their_table() -> None:
    rows = table_below(GUIDE / "activities.md", "Options")
    told = {name for row in rows for name in names(row[0])}
    assert told == {*ActivityCallOptions.__annotations__, "result_type"}
    declared = set(inspect.signature(activity).parameters) - {"fn", "name"}
    assert declared == told - {"summary", "result_type"}


def test_the_options_of_workers_are_in_their_table() -> None:
    rows = {
        names(row[0])[0]: row[-1]
        for row in table_below(GUIDE / "workers-and-reload.md", "Running one")
    }
    parameters = dict(inspect.signature(Worker).parameters)
    for name in ("client", "workflows", "activities"):
        del parameters[name]
    assert set(rows) == set(parameters)
    for name in (
        "max_concurrent_activities",
        "max_concurrent_workflow_tasks",
        "max_cached_workflows",
    ):
        assert rows[name] == str(parameters[name].default)
    assert parameters["graceful_shutdown"].default == timedelta(seconds=8)


def test_the_options_of_starts_are_in_their_table() -> None:
    rows = table_below(GUIDE / "client.md", "Starting")
    assert {names(row[0])[0] for row in rows} == set(StartOptions.__annotations__)


def test_the_options_of_connect_are_in_their_table() -> None:
    rows = {names(row[0])[0]: row[-1] for row in table_below(GUIDE / "client.md", "Client")}
    parameters = inspect.signature(Client.connect).parameters
    assert set(rows) == set(parameters)
    for name in ("timeout", "retry_timeout"):
        assert rows[name] == f"{parameters[name].default:g}"


def test_the_limits_are_those_of_the_tables() -> None:
    settings = EngineSettings()
    limits, api = settings.limits, settings.api_limits
    page = GUIDE / "limits.md"
    sent = [row[1] for row in table_below(page, "What is sent")]
    had = [row[1] for row in table_below(page, "What one workflow may have")]
    assert sent[:4] == [
        f"{api.payload_bytes // 2**20} MiB",
        f"{api.payload_bytes // 2**20} MiB",
        f"{api.id_characters} characters",
        f"{api.message_bytes // 2**20} MiB",
    ]
    assert had == [
        f"{limits.pending_activities:,}",
        f"{limits.pending_timers:,}",
        f"{limits.history_events:,}",
        f"{limits.history_bytes // 2**20} MiB",
        f"{api.details_characters:,} characters",
        f"{state.REMEMBERED_SIGNALS:,}",
    ]
    waits = [row[1] for row in table_below(page, "Time")]
    assert waits[0] == f"{DEFAULT_STEP_TIMEOUT.total_seconds():g} s"
    assert waits[2] == f"{settings.workflow_task_timeout_s:g} s"
    assert waits[3] == f"{settings.activity_grace_s:g} s"


def test_the_context_offers_what_its_table_says() -> None:
    told = {
        name.removeprefix("ctx.").partition("(")[0]
        for row in table_below(GUIDE / "workflows.md", "What the context offers")
        for name in names(row[0])
    }
    assert told == {name for name in dir(WorkflowContext) if not name.startswith("_")}


async def test_nobody_answers() -> None:
    with pytest.raises(EngineUnavailableError):
        await Client.connect("127.0.0.1:1", timeout=0.05)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []

"""The client against a real engine without workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sched_sdk import (
    Client,
    DefinitionError,
    InvalidArgumentError,
    PayloadError,
    WorkflowAlreadyStartedError,
    WorkflowClosedError,
    WorkflowContext,
    WorkflowFailedError,
    WorkflowNotFoundError,
    activity,
    workflow,
)
from sched_sdk._client import TaskState, WorkflowStatus
from tests.servers.engine import engine_here


@workflow
async def order(ctx: WorkflowContext, item: str, count: int = 1) -> str:
    return item * count


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with (
        engine_here() as server,
        await Client.connect(server.address, identity="tester") as client,
    ):
        yield client


async def test_what_is_started_can_be_described(client: Client) -> None:
    before = datetime.now(UTC)
    handle = await client.start_workflow(
        order, "tea", 2, id="o1", execution_timeout=timedelta(minutes=1)
    )
    description = await handle.describe()
    assert description.info.workflow_id == "o1"
    assert description.info.run_id == handle.run_id
    assert description.info.workflow_type == "order"
    assert description.status is WorkflowStatus.RUNNING
    assert not description.status.closed
    assert description.input == ("tea", 2)
    assert description.info.close_time is None
    assert abs(description.info.start_time - before) < timedelta(seconds=5)
    assert description.execution_deadline is not None
    task = description.workflow_task
    assert task is not None
    assert task.state is TaskState.SCHEDULED
    assert not task.has_worker


async def test_one_request_id_starts_once(client: Client) -> None:
    first = await client.start_workflow(order, "tea", id="o1", request_id="r1")
    again = await client.start_workflow(order, "tea", id="o1", request_id="r1")
    assert first.run_id == again.run_id


async def test_conflicts(client: Client) -> None:
    first = await client.start_workflow(order, "tea", id="o1")
    with pytest.raises(WorkflowAlreadyStartedError, match="o1"):
        await client.start_workflow(order, "tea", id="o1")
    same = await client.start_workflow(order, "tea", id="o1", id_conflict="use_existing")
    assert same.run_id == first.run_id
    other = await client.start_workflow(order, "tea", id="o1", id_conflict="terminate_existing")
    assert other.run_id != first.run_id
    with pytest.raises(WorkflowFailedError) as raised:
        await first.result(timeout=60)
    assert raised.value.status == "TERMINATED"


async def test_a_result_that_does_not_come(client: Client) -> None:
    handle = await client.start_workflow(order, "tea")
    with pytest.raises(TimeoutError):
        await handle.result(timeout=0.05)


async def test_a_workflow_that_is_not_there(client: Client) -> None:
    handle = client.workflow("nobody")
    for call in (
        handle.describe(),
        handle.signal("s"),
        handle.cancel(),
        handle.terminate(),
        handle.result(),
    ):
        with pytest.raises(WorkflowNotFoundError, match="nobody"):
            await call


async def test_a_closed_workflow_takes_no_signals(client: Client) -> None:
    handle = await client.start_workflow(order, "tea")
    await handle.terminate("enough")
    with pytest.raises(WorkflowClosedError):
        await handle.signal("s")
    description = await handle.describe()
    assert description.status is WorkflowStatus.TERMINATED
    assert description.info.close_time is not None


async def test_lists_and_counts(client: Client) -> None:
    async def start(number: int) -> None:
        await client.start_workflow("order", "tea", id=f"list-{number:03}")

    await asyncio.gather(*(start(number) for number in range(250)))
    await client.start_workflow("other", id="x", task_queue="slow")
    await client.workflow("list-007").terminate()

    ids = [info.workflow_id async for info in client.list_workflows(id_prefix="list-")]
    assert sorted(ids) == [f"list-{number:03}" for number in range(250)]
    assert len([info async for info in client.list_workflows(limit=120)]) == 120
    assert [info async for info in client.list_workflows(limit=0)] == []
    terminated = [info async for info in client.list_workflows(status="terminated")]
    assert [info.workflow_id for info in terminated] == ["list-007"]
    assert [info async for info in client.list_workflows(workflow_type="nothing")] == []
    later = datetime.now(UTC) + timedelta(minutes=1)
    assert [info async for info in client.list_workflows(started_after=later)] == []

    count = await client.count_workflows()
    assert count.total == 251
    assert count.by_status == {WorkflowStatus.RUNNING: 250, WorkflowStatus.TERMINATED: 1}
    assert (await client.count_workflows(task_queue="slow")).total == 1
    with pytest.raises(InvalidArgumentError, match="no workflow status 'lost'"):
        await client.count_workflows(status="lost")


async def test_events_are_plain_values(client: Client) -> None:
    handle = await client.start_workflow(order, "tea", 2, execution_timeout=60)
    await handle.signal("approve", {"by": "ops"})
    started, signal = [event async for event in handle.history()]
    assert (started.event_id, started.type) == (1, "WorkflowStarted")
    assert started.attributes["input"] == ["tea", 2]
    assert started.attributes["execution_timeout"] == timedelta(minutes=1)
    assert started.attributes["identity"] == "tester"
    assert signal.type == "SignalReceived"
    assert signal.attributes["input"] == [{"by": "ops"}]
    assert signal.raw.signal_received.name == "approve"


async def test_following_a_workflow_until_it_ends(client: Client) -> None:
    handle = await client.start_workflow(order, "tea")
    names: list[str] = []
    async for event in handle.history(follow=True):
        names.append(event.type)
        if event.type == "WorkflowStarted":
            await handle.signal("s")
        elif event.type == "SignalReceived":
            await handle.terminate()
    assert names == ["WorkflowStarted", "SignalReceived", "WorkflowTerminated"]


async def test_the_cluster_says_who_it_is(client: Client) -> None:
    status = await client.cluster_status()
    assert status.role == "LEADER"
    assert status.address == client.addresses[0]
    assert status.started_time is not None


@activity
async def not_a_workflow() -> None: ...


async def test_mistakes_of_the_caller(client: Client) -> None:
    with pytest.raises(DefinitionError):
        await client.start_workflow(not_a_workflow)  # type: ignore[call-overload]
    with pytest.raises(PayloadError, match="takes 1 to 2 arguments, got 0"):
        await client.start_workflow(order)  # type: ignore[call-overload]
    with pytest.raises(PayloadError, match="argument 1"):
        await client.start_workflow(order, object())  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="id_conflict"):
        await client.start_workflow(order, "tea", id_conflict="ask")  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="255"):
        await client.start_workflow(order, "tea", id="x" * 300)
    with pytest.raises(TypeError, match="no option 'color'"):
        await client.start_workflow(order, "tea", color="red")  # type: ignore[call-overload]
    with pytest.raises(InvalidArgumentError, match="task token"):
        client.activity(b"")

"""Queries through a real engine and real workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from sched_sdk import (
    Client,
    NoWorkerError,
    QueryFailedError,
    QueryNotFoundError,
    SyncClient,
    Worker,
    WorkflowContext,
    activity,
    workflow,
)
from sched_sdk._client import WorkflowHandle
from sched_sdk._worker import session
from sched_sdk._worker.watchdog import Watchdog
from sched_sdk.api.v1.workflow_service_pb2 import QueryWorkflowRequest
from sched_sdk.api.v1.workflow_service_pb2_grpc import WorkflowServiceStub
from sched_server import EngineServer
from tests.worker.restarting import RestartingEngine
from tests.worker.waiting import until


@dataclass
class Progress:
    done: int
    of: int


@pytest.fixture
async def restarting_engine(tmp_path: Path) -> AsyncIterator[RestartingEngine]:
    engine = RestartingEngine(tmp_path / "sched.db")
    await engine.start()
    yield engine
    await engine.stop()


def progress(scale: int = 1) -> Progress:
    """The query `progress` of `Counter`, as clients see it."""
    raise NotImplementedError


@activity
async def nothing() -> None:
    """An activity that is there."""


@workflow(name="Counter")
async def counter(ctx: WorkflowContext, total: int) -> int:
    done = 0

    @ctx.query("progress")
    def _progress(scale: int = 1) -> Progress:
        return Progress(done * scale, total)

    @ctx.query
    def broken() -> int:
        raise ValueError("no such thing")

    @ctx.query
    def charges() -> None:
        ctx.queue_activity(nothing)

    @ctx.query
    def huge() -> str:
        return "x" * (2 * 1024 * 1024)

    ctx.set_details("counting")
    while done < total:
        await ctx.wait_for_signal("more")
        done += 1
    return done


async def count_up(client: Client, total: int, up_to: int) -> WorkflowHandle[int]:
    handle = await client.start_workflow(counter, total)
    for _ in range(up_to):
        await handle.signal("more")
    return handle


async def test_a_cached_instance_answers_and_knows_of_your_own_signals(client: Client) -> None:
    async with Worker(client, workflows=[counter], activities=[nothing]) as worker:
        handle = await count_up(client, 30, 0)
        for done in range(20):
            assert await handle.query(progress) == Progress(done, 30)
            await handle.signal("more")
        assert await handle.query("progress", 10, result_type=Progress) == Progress(200, 30)
        assert await handle.query("progress") == {"done": 20, "of": 30}
        assert await handle.query("__details") == "counting"
        assert worker._tally.replays == 0


async def test_without_a_cached_instance_the_history_is_replayed(client: Client) -> None:
    async with Worker(client, workflows=[counter], max_cached_workflows=1):
        handle = await count_up(client, 30, 7)
        other = await count_up(client, 30, 2)
        assert await other.query(progress) == Progress(2, 30)
        assert await handle.query(progress) == Progress(7, 30)


async def test_a_new_worker_answers_for_old_runs(client: Client) -> None:
    async with Worker(client, workflows=[counter], graceful_shutdown=1):
        handle = await count_up(client, 30, 3)
        assert await handle.query(progress) == Progress(3, 30)
    async with Worker(client, workflows=[counter]):
        assert await handle.query(progress) == Progress(3, 30)


async def test_a_closed_run_is_answered_by_replay(client: Client) -> None:
    async with Worker(client, workflows=[counter]):
        completed = await count_up(client, 2, 2)
        await completed.result(timeout=60)
        assert await completed.query(progress) == Progress(2, 2)
        assert await completed.query("__stack") == []
        terminated = await count_up(client, 5, 1)
        assert await terminated.query(progress) == Progress(1, 5)
        await terminated.terminate()
        assert await terminated.query(progress) == Progress(1, 5)


async def test_a_history_of_several_pages(client: Client) -> None:
    signals = 2_500
    async with Worker(client, workflows=[counter], max_cached_workflows=1):
        handle = await client.start_workflow(counter, signals + 1)
        await asyncio.gather(*(handle.signal("more") for _ in range(signals)))
        assert await (await count_up(client, 3, 1)).query(progress) == Progress(1, 3)
        assert await handle.query(progress) == Progress(signals, signals + 1)


async def test_many_at_once_share_a_few_throw_away_instances(client: Client) -> None:
    async with Worker(client, workflows=[counter]):
        handles = [await count_up(client, total, total) for total in range(1, 11)]
        for handle in handles:
            await handle.result(timeout=60)
        answers = await asyncio.gather(*(handle.query(progress) for handle in handles * 3))
        assert [answer.done for answer in answers] == [*range(1, 11)] * 3


async def test_queries_through_a_restart_of_the_engine(restarting_engine: RestartingEngine) -> None:
    """Those that are asked while no engine is there, and those that it forgot."""
    async with (
        await Client.connect(restarting_engine.address) as client,
        Worker(client, workflows=[counter]),
    ):
        handle = await count_up(client, 30, 2)
        assert await handle.query(progress) == Progress(2, 30)
        asked = [asyncio.ensure_future(handle.query(progress)) for _ in range(20)]
        await asyncio.sleep(0)  # they are on their way
        await restarting_engine.stop()
        asked.append(asyncio.ensure_future(handle.query(progress)))
        await restarting_engine.start()
        assert await asyncio.gather(*asked) == [Progress(2, 30)] * 21
        await handle.signal("more")
        assert await handle.query(progress) == Progress(3, 30)


async def test_errors_say_what_is_wrong(client: Client) -> None:
    async with Worker(client, workflows=[counter], activities=[nothing]):
        handle = await count_up(client, 5, 1)
        with pytest.raises(
            QueryNotFoundError, match="it has broken, charges, huge, progress"
        ) as no:
            await handle.query("progres")
        assert no.value.known == ("broken", "charges", "huge", "progress")
        with pytest.raises(QueryFailedError, match="ValueError: no such thing") as failed:
            await handle.query("broken")
        cause = failed.value.__cause__
        assert cause is not None
        assert "raise ValueError" in cause.remote_traceback  # type: ignore[attr-defined]
        with pytest.raises(QueryFailedError, match="takes 0 to 1 arguments"):
            await handle.query("progress", 1, 2)
        with pytest.raises(QueryFailedError, match="the limit is"):
            await handle.query("huge")
        assert await handle.query(progress) == Progress(1, 5)


async def test_a_query_that_would_change_the_workflow_changes_nothing(client: Client) -> None:
    async with Worker(client, workflows=[counter], activities=[nothing]):
        handle = await count_up(client, 3, 1)
        assert await handle.query(progress) == Progress(1, 3)
        before = [event.type async for event in handle.history()]
        with pytest.raises(QueryFailedError, match="tried to change the workflow"):
            await handle.query("charges")
        assert await handle.query(progress) == Progress(1, 3)
        assert [event.type async for event in handle.history()] == before
        await handle.signal("more")
        await handle.signal("more")
        assert await handle.result(timeout=60) == 3
    events = [event.type async for event in handle.history()]
    assert "ActivityScheduled" not in events


async def test_no_worker_serves_the_type(client: Client, engine: EngineServer) -> None:
    assert engine.host.engine is not None
    engine.host.engine.queries._settling_until = 0.0  # it has led for a while

    @workflow(name="Other")
    async def other(ctx: WorkflowContext) -> None:
        """Does nothing."""

    handle = await count_up(client, 3, 0)
    with pytest.raises(NoWorkerError, match="no worker is connected on task queue 'default'"):
        await handle.query(progress)
    async with Worker(client, workflows=[other]):
        with pytest.raises(NoWorkerError, match="none of them has workflow 'Counter'"):
            await handle.query(progress)


async def test_a_query_waits_for_a_worker_that_comes(client: Client) -> None:
    handle = await count_up(client, 3, 2)
    asked = asyncio.ensure_future(handle.query(progress))
    async with Worker(client, workflows=[counter]):
        assert await asked == Progress(2, 3)


@pytest.mark.diverges
async def test_a_run_that_cannot_go_on_says_why(client: Client) -> None:
    @workflow(name="Counter")
    async def changed(ctx: WorkflowContext, total: int) -> int:
        ctx.query("progress")(lambda: total)
        await ctx.sleep(5)
        return total

    async with Worker(client, workflows=[counter], graceful_shutdown=1):
        handle = await count_up(client, 3, 1)
        assert await handle.query(progress) == Progress(1, 3)
    async with Worker(client, workflows=[changed]):
        with pytest.raises(NoWorkerError, match="does not get past its history") as open_run:
            await handle.query("progress")
        assert open_run.value.__cause__ is not None
        await handle.signal("more")
        with pytest.raises(NoWorkerError, match="NonDeterminismError"):
            await handle.query("progress")
        await handle.terminate()
        with pytest.raises(NoWorkerError, match="NonDeterminismError"):
            await handle.query("progress")


@pytest.mark.diverges
async def test_another_build_answers_where_one_cannot(client: Client) -> None:
    @workflow(name="Counter")
    async def changed(ctx: WorkflowContext, total: int) -> int:
        await ctx.sleep(5)
        return total

    async with Worker(client, workflows=[counter], graceful_shutdown=1):
        handle = await count_up(client, 2, 2)
        await handle.result(timeout=60)
    async with Worker(client, workflows=[changed]), Worker(client, workflows=[counter]):
        for _ in range(4):
            assert await handle.query(progress) == Progress(2, 2)


async def test_a_delayed_start_has_nothing_to_tell(client: Client) -> None:
    async with Worker(client, workflows=[counter]):
        handle = await client.start_workflow(counter, 3, start_delay=3_600)
        with pytest.raises(QueryFailedError, match="starts later"):
            await handle.query(progress)


async def test_a_run_in_the_middle_of_a_step_answers(client: Client) -> None:
    gate = asyncio.Event()

    async def slow() -> None:
        await gate.wait()

    @workflow(name="Steps")
    async def steps(ctx: WorkflowContext) -> int:
        done = 0
        ctx.query("state")(lambda: done)

        @ctx.query
        def changes() -> None:
            ctx.queue_activity(nothing)

        for _ in range(2):
            await ctx.step(slow)
            done += 1
        return done

    async with Worker(client, workflows=[steps], activities=[nothing]):
        handle = await client.start_workflow(steps)
        assert await handle.query("state") == 0
        stack = await handle.query("__stack")
        assert stack[0]["waits_on"]["kind"] == "step"
        with pytest.raises(QueryFailedError, match="tried to change"):
            await handle.query("changes")
        gate.set()
        assert await handle.result(timeout=60) == 2
        assert await handle.query("state") == 2


async def test_queries_all_along_a_busy_run_cost_it_nothing(client: Client) -> None:
    async with Worker(client, workflows=[counter], activities=[nothing]):
        handle = await count_up(client, 100, 0)

        async def ask() -> int:
            answer = await handle.query(progress)
            return answer.done

        asked = []
        for _ in range(99):
            asked.append(asyncio.ensure_future(ask()))
            await handle.signal("more")
        seen = await asyncio.gather(*asked)
        # Whoever asked after so many signals were durable is told of them.
        assert all(done >= signals for signals, done in enumerate(seen))
        assert await handle.query(progress) == Progress(99, 100)
        await handle.signal("more")
        assert await handle.result(timeout=60) == 100


async def test_a_handler_that_blocks_is_interrupted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "Watchdog", lambda: Watchdog(interrupt_after_s=0.2))

    @workflow(name="Blocks")
    async def blocks(ctx: WorkflowContext) -> str:
        @ctx.query
        def forever() -> None:
            until_s = time.monotonic() + 30  # sched: ignore
            while time.monotonic() < until_s:  # sched: ignore
                pass

        return (await ctx.wait_for_signal()).name

    async with Worker(client, workflows=[blocks]):
        handle = await client.start_workflow(blocks)
        with pytest.raises(QueryFailedError, match="blocked the event loop"):
            await handle.query("forever")
        await handle.signal("end")
        assert await handle.result(timeout=60) == "end"


async def test_a_draining_worker_lets_another_answer(client: Client) -> None:
    began, released = asyncio.Event(), asyncio.Event()

    @activity
    async def holds() -> None:
        began.set()
        await released.wait()

    @workflow(name="Held")
    async def held(ctx: WorkflowContext) -> str:
        ctx.query("state")(lambda: "held")
        await ctx.queue_activity(holds)
        return "done"

    old = Worker(client, workflows=[held], activities=[holds], graceful_shutdown=10)
    async with old:
        handle: WorkflowHandle[Any] = await client.start_workflow(held)
        await began.wait()
        assert await handle.query("state") == "held"
        async with Worker(client, workflows=[held], activities=[holds]):
            stopping = asyncio.ensure_future(old.stop())
            await until(lambda: old.draining)
            assert await handle.query("state") == "held"
            released.set()
            await stopping
            assert await handle.result(timeout=60) == "done"


async def test_the_synchronous_client(client: Client, engine: EngineServer) -> None:
    def ask(workflow_id: str) -> Progress:
        with SyncClient.connect(engine.address) as sync:
            return sync.workflow(workflow_id).query(progress)

    async with Worker(client, workflows=[counter]):
        handle = await count_up(client, 3, 1)
        assert await asyncio.to_thread(ask, handle.id) == Progress(1, 3)


async def test_a_unary_call_is_answered_alike(client: Client, engine: EngineServer) -> None:
    async with (
        Worker(client, workflows=[counter]),
        grpc.aio.insecure_channel(engine.address) as channel,
    ):
        stub: Any = WorkflowServiceStub(channel)
        handle = await count_up(client, 3, 1)
        request = QueryWorkflowRequest(workflow_id=handle.id, name="progress")
        reply = await stub.QueryWorkflow(request)
        assert (reply.run_id, reply.result.data) == (handle.run_id, b'{"done":1,"of":3}')
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.QueryWorkflow(QueryWorkflowRequest(workflow_id=handle.id, name="nothing"))
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_client_that_gives_up_leaves_nothing_behind(
    client: Client, engine: EngineServer
) -> None:
    handle = await count_up(client, 3, 1)
    term = engine.host.engine
    assert term is not None
    asked = asyncio.ensure_future(handle.query(progress))
    await until(lambda: term.queries.open == 1)
    asked.cancel()
    await until(lambda: term.queries.open == 0)
    with pytest.raises(TimeoutError):
        await handle.query(progress, timeout=0.05)
    await until(lambda: term.queries.open == 0)

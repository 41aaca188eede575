"""Time, chance, identity and places."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sched_sdk import DefinitionError, WorkflowContext, activity, workflow
from tests.replay.engine import EPOCH_US, SECOND, Engine, Worker, assert_replays, run_to_end


@activity
async def work(number: int = 0) -> int:
    return number


def test_time_chance_and_ids_repeat() -> None:
    traces: list[list[Any]] = []

    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        trace: list[Any] = []
        traces.append(trace)
        for _ in range(3):
            trace += [ctx.now(), ctx.random.random(), ctx.uuid4(), ctx.info.history_length]
            await ctx.sleep(1)

    run_to_end(flow)
    live, replayed = traces
    assert live == replayed
    assert isinstance(live[0], datetime)
    assert live[0].tzinfo is UTC
    assert live[4] - live[0] >= timedelta(seconds=1)
    assert isinstance(live[2], uuid.UUID)
    assert live[2].version == 4
    assert len({*live[1::4]}) == 3


def test_seed_decides() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> float:
        return ctx.random.random()

    results = []
    for seed in (1, 1, 2):
        engine = Engine()
        engine.start(seed=seed)
        worker = Worker(engine, flow)
        worker.work()
        worker.forget()
        results.append(engine.result())
    assert results[0] == results[1] != results[2]


def test_info() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[Any]:
        info = ctx.info
        return [
            info.workflow_id,
            info.run_id,
            info.workflow_type,
            info.task_queue,
            info.started_at,
            info.execution_timeout,
            info.history_length,
        ]

    *names, started, timeout, length = run_to_end(flow).result()
    assert names == ["wf-test", "run-test", "Test", "default"]
    assert datetime.fromisoformat(started).timestamp() == pytest.approx(EPOCH_US / SECOND)
    assert timeout is None
    assert length == 1


def test_sleep_takes_seconds_and_timedeltas_and_nothing_else() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> list[str]:
        await ctx.sleep(timedelta(days=400))
        said = []
        for bad in (-1, "5", float("nan")):
            try:
                await ctx.sleep(bad)  # type: ignore[arg-type]
            except DefinitionError as error:
                said.append(str(error))
        return said

    engine = run_to_end(flow)
    assert engine.history[2].timer_scheduled.duration_us == 400 * 86_400 * SECOND
    assert len(engine.result()) == 3


def test_call_sites_are_in_user_code() -> None:
    @workflow
    async def flow(ctx: WorkflowContext) -> None:
        ctx.queue_activity(work)
        asyncio.get_running_loop().call_later(1, print)
        tasks = [asyncio.create_task(asyncio.sleep(2))]
        await asyncio.gather(ctx.sleep(3), *tasks)

    engine = Engine()
    engine.start()
    worker = Worker(engine, flow)
    worker.work()
    sites = [message.call_site for message in worker.messages]
    first = flow.__code__.co_firstlineno + 2
    here = "tests/replay/test_context.py"
    # call_later, the sleep's own task (where it was made), and ctx.sleep.
    assert sites[:2] == [f"{here}:{first}", f"{here}:{first + 1}"]
    assert sorted(sites[2:]) == [f"{here}:{first + 2}", f"{here}:{first + 3}"]
    assert_replays(flow, engine)
    worker.forget()

"""A cache that keeps nothing gives the same results."""

from __future__ import annotations

import asyncio

from .harness import RESULT, LocalEngine, complete, running, schedule, sleep


async def a_day_of_work(engine: LocalEngine) -> list[list[str]]:
    """Several workflows at once, with signals, activities and sleeps."""
    worker = engine.worker()
    names = [f"wf-{number}" for number in range(8)]
    await asyncio.gather(*[engine.start(name) for name in names])
    phase = dict.fromkeys(names, 0)

    async def activities() -> None:
        while True:
            worker.report(await worker.activities.get(), result=RESULT)

    reporting = asyncio.ensure_future(activities())
    open_ = set(names)
    while open_:
        task = await worker.task()
        name = task.workflow_id
        phase[name] += 1
        if phase[name] == 1:
            await worker.answer(task, schedule(1))
        elif phase[name] == 2:
            await worker.answer(task, sleep(2, 0.001))
        elif phase[name] == 3:
            await worker.answer(task)
            await engine.signal(name, request_id=f"s-{name}")
        else:
            await worker.answer(task, complete())
            open_.discard(name)
    reporting.cancel()
    return [await engine.history(name) for name in names]


async def test_results_do_not_depend_on_the_cache() -> None:
    async with running() as engine:
        expected = await a_day_of_work(engine)
    async with running(cached_executions=1) as engine:
        assert await a_day_of_work(engine) == expected
    async with running(cached_executions=0) as engine:
        assert await a_day_of_work(engine) == expected
        assert len(engine.group.cache) == 0


async def test_the_cache_is_bounded_and_what_has_work_stays() -> None:
    async with running(cached_executions=3) as engine:
        for number in range(10):
            await engine.start(f"idle-{number}")
        assert len(engine.group.cache) == 3

        worker = engine.worker()
        for _ in range(10):
            await worker.task()

        assert len(engine.group.cache) == 10, "a worker is at each of them"


async def test_whoever_asks_for_a_run_at_once_gets_one_object() -> None:
    async with running(cached_executions=0) as engine:
        await engine.start()
        group = engine.group

        loaded = await asyncio.gather(*[group.load(1) for _ in range(5)])

        assert len({id(execution) for execution in loaded}) == 1
        assert group.cache.get(1) is loaded[0], "still in somebody's hands"


async def test_many_signals_at_once_to_runs_that_do_not_fit() -> None:
    async with running(cached_executions=0) as engine:
        await engine.start("a")
        await engine.start("b")

        await asyncio.gather(*[engine.signal(name) for name in ("a", "b") for _ in range(20)])

        for name in ("a", "b"):
            assert (await engine.history(name)).count("SignalReceived") == 20

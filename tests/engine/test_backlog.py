"""Workflow tasks that wait for a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_server.queue.memory import MemoryTaskQueue

from .harness import running, within

if TYPE_CHECKING:
    from sched_server.queue.port import QueuedTask, TaskKey


async def test_a_worker_of_another_task_queue_gets_nothing() -> None:
    async with running() as engine:
        worker = engine.worker(task_queue="other")
        await engine.start()
        await engine.quiet()

        assert worker.tasks.empty()


async def test_without_a_free_slot_tasks_wait_in_order() -> None:
    async with running() as engine:
        worker = engine.worker(workflow_task_slots=1)
        for number in range(5):
            await engine.start(f"wf-{number}")
        await engine.quiet()
        assert worker.tasks.qsize() == 1

        seen = []
        for _ in range(5):
            task = await worker.task()
            assert worker.tasks.empty()
            seen.append(task.workflow_id)
            await worker.close(task)

        assert seen == [f"wf-{number}" for number in range(5)]


async def test_a_backlog_beyond_the_queues_window_is_refilled_in_order() -> None:
    for slots in (1, 10):
        async with running(queue=MemoryTaskQueue(window=3)) as engine:
            for number in range(20):
                await engine.start(f"wf-{number:02}")
            worker = engine.worker(workflow_task_slots=slots)

            seen = []
            for _ in range(20):
                task = await worker.task()
                seen.append(task.workflow_id)
                await worker.close(task)

            assert seen == [f"wf-{number:02}" for number in range(20)]
            await engine.quiet()
            assert engine.group.dispatcher.depths() == {}, "the backlog is over"


async def test_what_comes_while_the_backlog_is_read_is_not_forgotten() -> None:
    async with running() as engine:
        await engine.start("early")
        reading, go_on = asyncio.Event(), asyncio.Event()
        store, group = engine.store, engine.group
        key = group.workflow_key((await engine.engine.lookup.execution("early")).state)
        ready_tasks = store.ready_tasks

        async def slow_ready_tasks(*args: object, **named: object) -> object:
            rows = await ready_tasks(*args, **named)  # type: ignore[arg-type]
            reading.set()
            await go_on.wait()
            return rows

        store.ready_tasks = slow_ready_tasks  # type: ignore[assignment]
        group.dispatcher._backlog(key).begin_anew()
        worker = engine.worker()
        first = await worker.task()
        await within(reading.wait())

        await engine.start("late")
        go_on.set()

        assert first.workflow_id == "early"
        assert (await worker.task()).workflow_id == "late"


class AnswersLate(MemoryTaskQueue):
    """Says that there is nothing only when it is told to, as a server far away."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()
        self.asked = asyncio.Event()

    async def take(self, key: TaskKey, limit: int) -> list[QueuedTask]:
        tasks = await super().take(key, limit)
        if not tasks:
            self.asked.set()
            await self.answer.wait()
        return tasks


async def test_what_comes_while_the_queue_says_that_it_is_empty_is_not_forgotten() -> None:
    queue = AnswersLate()
    async with running(queue=queue) as engine:
        await engine.start("first")
        worker = engine.worker()
        assert (await worker.task()).workflow_id == "first"
        await within(queue.asked.wait())

        await engine.start("second")
        await engine.quiet()
        queue.answer.set()

        assert (await worker.task()).workflow_id == "second"

"""The queue in memory: the conformance suite, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sched_server.queue.memory import DEFAULT_WINDOW, MemoryTaskQueue
from sched_server.queue.port import TaskKey
from tests.queue.conformance import EMAILS, MakeQueue, TaskQueueConformance, ignore_loss, queued


class TestMemoryQueue(TaskQueueConformance):
    @pytest.fixture
    async def make_queue(self) -> AsyncIterator[MakeQueue]:
        made: list[MemoryTaskQueue] = []

        async def make(window: int) -> MemoryTaskQueue:
            made.append(MemoryTaskQueue(window))
            return made[-1]

        yield make
        for queue in made:
            await queue.close()


async def test_the_default_window_is_ten_thousand() -> None:
    queue = MemoryTaskQueue()
    await queue.open(lambda _key: None, ignore_loss)
    overflow = await queue.publish([queued(number) for number in range(DEFAULT_WINDOW + 1)])
    assert DEFAULT_WINDOW == 10_000
    assert list(overflow) == [queued(DEFAULT_WINDOW)]


async def test_a_closed_queue_takes_nothing_and_has_nothing() -> None:
    queue = MemoryTaskQueue()
    assert list(await queue.publish([queued(1)])) == [queued(1)]
    heard: list[TaskKey] = []
    await queue.open(heard.append, ignore_loss)
    await queue.publish([queued(1)])
    await queue.close()

    assert queue.depth(EMAILS) == 0
    assert list(await queue.publish([queued(2)])) == [queued(2)]
    assert await queue.take(EMAILS, 9) == []
    assert heard == [EMAILS]


async def test_keys_without_tasks_cost_no_memory() -> None:
    queue = MemoryTaskQueue()
    await queue.open(lambda _key: None, ignore_loss)
    for number in range(100):
        key = TaskKey(task_queue=f"queue-{number}", kind=2, name="send_email")
        await queue.publish([queued(1, key), queued(2, key)])
        await queue.take(key, 1)
        await queue.take(key, 1)
    assert queue._waiting == {}


async def test_the_listener_may_take_at_once() -> None:
    queue = MemoryTaskQueue()
    heard: list[int] = []
    await queue.open(lambda key: heard.append(queue.depth(key)), ignore_loss)
    for number in range(3):
        await queue.publish([queued(number)])
        assert await queue.take(EMAILS, 1) == [queued(number)]
    assert heard == [1, 1, 1]


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_holds_at_least_one_task(window: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1; got {window}"):
        MemoryTaskQueue(window)

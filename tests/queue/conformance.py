"""What every task queue owes the dispatcher.

To put an adapter under test, derive from `TaskQueueConformance` and give it a
fixture `make_queue`: an async function that takes the window and returns a
queue that is not open yet; what it made is closed by the fixture.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from sched_server.queue.port import QueuedTask, TaskKey, TaskQueue

MakeQueue = Callable[[int], Awaitable[TaskQueue]]

EMAILS = TaskKey(task_queue="default", kind=2, name="send_email")
REPORTS = TaskKey(task_queue="default", kind=1, name="Report")
WINDOW = 5


def queued(number: int, key: TaskKey = EMAILS, *, attempt: int = 1) -> QueuedTask:
    return QueuedTask(key=key, run_key=number, seq=number % 3, attempt=attempt)


def ignore_loss() -> None:
    """For tests in which nothing can be lost, or it does not matter."""


class TaskQueueConformance:
    @pytest.fixture
    def available(self) -> list[TaskKey]:
        """What `on_available` was called with."""
        return []

    @pytest.fixture
    async def queue(self, make_queue: MakeQueue, available: list[TaskKey]) -> TaskQueue:
        queue = await make_queue(WINDOW)
        await queue.open(available.append, ignore_loss)
        return queue

    async def test_a_new_queue_has_nothing(
        self, queue: TaskQueue, available: list[TaskKey]
    ) -> None:
        assert await queue.take(EMAILS, 10) == []
        assert queue.depth(EMAILS) == 0
        assert available == []

    async def test_tasks_are_taken_in_order_of_arrival(self, queue: TaskQueue) -> None:
        tasks = [queued(number) for number in (3, 1, 2)]
        assert list(await queue.publish(tasks[:2])) == []
        assert list(await queue.publish(tasks[2:])) == []
        assert await queue.take(EMAILS, 10) == tasks
        assert await queue.take(EMAILS, 10) == []

    async def test_a_task_comes_back_as_it_was(self, queue: TaskQueue) -> None:
        key = TaskKey(task_queue="a:b/c d", kind=2, name="päckchen\n1")
        task = QueuedTask(key=key, run_key=(1 << 62) + 3, seq=70_000, attempt=12)
        await queue.publish([task])
        assert await queue.take(key, 1) == [task]

    async def test_take_gives_at_most_what_was_asked_for(self, queue: TaskQueue) -> None:
        tasks = [queued(number) for number in range(5)]
        await queue.publish(tasks)
        assert await queue.take(EMAILS, 2) == tasks[:2]
        assert await queue.take(EMAILS, 1) == tasks[2:3]
        assert await queue.take(EMAILS, 9) == tasks[3:]

    async def test_take_of_nothing_takes_nothing(self, queue: TaskQueue) -> None:
        await queue.publish([queued(1)])
        assert await queue.take(EMAILS, 0) == []
        assert await queue.take(EMAILS, 1) == [queued(1)]

    async def test_keys_are_queues_of_their_own(self, queue: TaskQueue) -> None:
        near = [
            EMAILS,
            REPORTS,
            TaskKey(task_queue="default", kind=1, name="send_email"),
            TaskKey(task_queue="other", kind=2, name="send_email"),
        ]
        await queue.publish([queued(7, key) for key in near])
        for key in near:
            assert queue.depth(key) == 1
            assert await queue.take(key, 10) == [queued(7, key)]

    async def test_depth_is_what_waits(self, queue: TaskQueue) -> None:
        await queue.publish([queued(number) for number in range(4)])
        assert queue.depth(EMAILS) == 4
        await queue.take(EMAILS, 3)
        assert queue.depth(EMAILS) == 1
        await queue.take(EMAILS, 3)
        assert queue.depth(EMAILS) == 0

    async def test_a_task_that_waits_already_is_not_added_again(self, queue: TaskQueue) -> None:
        assert list(await queue.publish([queued(1), queued(2), queued(1)])) == []
        assert list(await queue.publish([queued(2)])) == []
        assert await queue.take(EMAILS, 10) == [queued(1), queued(2)]

    async def test_another_attempt_is_another_task(self, queue: TaskQueue) -> None:
        both = [queued(1, attempt=1), queued(1, attempt=2)]
        await queue.publish(both)
        assert await queue.take(EMAILS, 10) == both

    async def test_a_taken_task_can_be_published_again(self, queue: TaskQueue) -> None:
        await queue.publish([queued(1)])
        taken = await queue.take(EMAILS, 1)
        await queue.finish(taken)
        assert list(await queue.publish([queued(1)])) == []
        assert await queue.take(EMAILS, 1) == [queued(1)]

    async def test_a_full_window_gives_back_the_rest_in_order(self, queue: TaskQueue) -> None:
        tasks = [queued(number) for number in range(WINDOW + 3)]
        assert list(await queue.publish(tasks)) == tasks[WINDOW:]
        assert list(await queue.publish([queued(99)])) == [queued(99)]
        assert await queue.take(EMAILS, 100) == tasks[:WINDOW]

    async def test_a_duplicate_is_no_overflow(self, queue: TaskQueue) -> None:
        tasks = [queued(number) for number in range(WINDOW)]
        await queue.publish(tasks)
        assert list(await queue.publish([tasks[0], queued(99)])) == [queued(99)]

    async def test_the_window_is_per_key(self, queue: TaskQueue) -> None:
        await queue.publish([queued(number) for number in range(WINDOW)])
        assert list(await queue.publish([queued(1, REPORTS)])) == []

    async def test_room_comes_back_when_tasks_are_taken(self, queue: TaskQueue) -> None:
        await queue.publish([queued(number) for number in range(WINDOW)])
        await queue.finish(await queue.take(EMAILS, 2))
        more = [queued(number) for number in range(10, 13)]
        assert list(await queue.publish(more)) == more[2:]

    async def test_the_listener_hears_of_a_key_once_until_it_is_empty_again(
        self, queue: TaskQueue, available: list[TaskKey]
    ) -> None:
        await queue.publish([queued(1), queued(2)])
        await queue.publish([queued(3)])
        assert available == [EMAILS]

        await queue.take(EMAILS, 2)
        await queue.publish([queued(4)])
        assert available == [EMAILS], "one task was still waiting"

        await queue.take(EMAILS, 9)
        await queue.publish([queued(5)])
        assert available == [EMAILS, EMAILS]

    async def test_the_listener_hears_of_every_key(
        self, queue: TaskQueue, available: list[TaskKey]
    ) -> None:
        await queue.publish([queued(1), queued(1, REPORTS), queued(2)])
        assert sorted(available, key=lambda key: key.kind) == [REPORTS, EMAILS]

    async def test_when_the_listener_is_called_the_tasks_are_there(
        self, make_queue: MakeQueue
    ) -> None:
        queue = await make_queue(WINDOW)
        depths: list[int] = []
        await queue.open(lambda key: depths.append(queue.depth(key)), ignore_loss)
        await queue.publish([queued(1), queued(2)])
        assert depths == [2]

    async def test_publishing_nothing_is_nothing(
        self, queue: TaskQueue, available: list[TaskKey]
    ) -> None:
        assert list(await queue.publish([])) == []
        assert available == []

    async def test_finishing_what_is_unknown_is_nothing(self, queue: TaskQueue) -> None:
        await queue.publish([queued(1)])
        await queue.finish([queued(8), queued(9, REPORTS)])
        await queue.finish([])
        assert await queue.take(EMAILS, 9) == [queued(1)]

    async def test_many_tasks_stay_in_order(self, make_queue: MakeQueue) -> None:
        queue = await make_queue(1000)
        await queue.open(lambda _key: None, ignore_loss)
        tasks = [queued(number) for number in range(1000)]
        for start in range(0, 1000, 64):
            await queue.publish(tasks[start : start + 64])
        taken: list[QueuedTask] = []
        while batch := await queue.take(EMAILS, 37):
            taken += batch
        assert taken == tasks

    async def test_a_queue_that_works_has_lost_nothing_and_says_so(
        self, make_queue: MakeQueue
    ) -> None:
        queue = await make_queue(WINDOW)
        assert not queue.status().connected
        losses: list[str] = []
        await queue.open(lambda _key: None, lambda: losses.append("lost"))
        await queue.publish([queued(number) for number in range(WINDOW + 1)])
        await queue.finish(await queue.take(EMAILS, WINDOW))
        assert await queue.take(EMAILS, 1) == []

        status = queue.status()
        assert status.connected
        assert (status.last_error, status.warnings) == ("", ())
        assert status.description
        assert losses == []

    async def test_a_closed_queue_takes_nothing_and_can_be_opened_again(
        self, make_queue: MakeQueue
    ) -> None:
        queue = await make_queue(WINDOW)
        await queue.open(lambda _key: None, ignore_loss)
        await queue.close()
        await queue.close()
        assert list(await queue.publish([queued(1)])) == [queued(1)]
        assert await queue.take(EMAILS, 1) == []
        assert queue.depth(EMAILS) == 0
        assert not queue.status().connected

        await queue.open(lambda _key: None, ignore_loss)
        assert list(await queue.publish([queued(2)])) == []
        assert await queue.take(EMAILS, 9) == [queued(2)]

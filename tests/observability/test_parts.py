"""Histograms as plain numbers, and the bounds of what is exposed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from sched_server.observability.backlog import MAXIMUM_QUEUES, OTHERS, Backlog
from sched_server.observability.distribution import Distribution
from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, StoreError, TaskKey
from tests.engine.harness import running

if TYPE_CHECKING:
    import pytest

BOUNDS = (0.5, 1, 2)


def test_a_bound_belongs_to_its_bucket() -> None:
    distribution = Distribution(BOUNDS)
    for value in (0, 0.5, 0.75, 1, 3):
        distribution.observe(value)
    assert distribution.buckets() == [("0.5", 2), ("1.0", 4), ("2.0", 4), ("+Inf", 5)]
    assert distribution.total == 5.25


@given(st.lists(st.floats(0, 10)))
def test_buckets_say_how_many_are_not_above(values: list[float]) -> None:
    distribution = Distribution(BOUNDS)
    for value in values:
        distribution.observe(value)
    for bound, count in distribution.buckets():
        assert count == sum(value <= float(bound) for value in values)


async def test_the_number_of_series_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = {
        TaskKey(f"queue-{i}", WORKFLOW_TASK, name): i + 1
        for i in range(MAXIMUM_QUEUES + 50)
        for name in ("One", "Two")
    }
    async with running() as local:
        monkeypatch.setattr(local.engine.group.dispatcher, "depths", lambda: dict(waiting))
        backlog = Backlog()
        await backlog.look(local.engine)
    counts = backlog.by_queue()
    assert len(counts) == MAXIMUM_QUEUES + 1
    assert counts["queue-249", "workflow"] == 500
    assert counts[OTHERS, "workflow"] == sum(2 * (i + 1) for i in range(50))
    assert sum(counts.values()) == sum(waiting.values())


async def test_beyond_the_window_the_store_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    key = TaskKey("ships", ACTIVITY_TASK, "sail")
    async with running() as local:
        engine, backlog = local.engine, Backlog()
        dispatcher, asked = engine.group.dispatcher, []
        monkeypatch.setattr(dispatcher, "depths", lambda: {key: 10_000})
        monkeypatch.setattr(dispatcher, "keys_beyond_window", lambda: [key])

        async def ready_task_keys(shard_group: int) -> list[tuple[TaskKey, int]]:
            asked.append(shard_group)
            return [(key, 123_456)]

        monkeypatch.setattr(engine.store, "ready_task_keys", ready_task_keys)
        for _ in range(3):
            await backlog.look(engine)
            assert backlog.by_queue() == {("ships", "activity"): 123_456}
        assert len(asked) == 1, "not at every scrape"

        async def fails(shard_group: int) -> list[tuple[TaskKey, int]]:
            raise StoreError("no")

        monkeypatch.setattr(engine.store, "ready_task_keys", fails)
        backlog = Backlog()
        await backlog.look(engine)
        assert backlog.by_queue() == {("ships", "activity"): 10_000}
        await backlog.look(None)
        assert backlog.by_queue() == {}

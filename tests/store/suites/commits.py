"""`commit`: groups, expectations, and all of a transaction or nothing."""

from __future__ import annotations

import asyncio

import pytest

from sched_server.store.port import ACTIVITY_TASK, WORKFLOW_TASK, Store, StoreDataError
from tests.store.rows import (
    COMPLETED,
    START_US,
    change,
    event,
    event_ids,
    lead,
    new_run,
    task,
    with_tasks,
    with_timers,
)


class CommitContract:
    async def test_a_change_writes_all_its_parts(self, store: Store) -> None:
        leader = await lead(store)
        both = with_timers(with_tasks(new_run(1, events=2), task(1, 3)), (1, 4, START_US + 50))
        assert await leader.commit(both) == [True]

        run = await store.read_run(1)
        assert run is not None
        assert (run.last_event_id, run.history_bytes) == (2, both.history_bytes)
        assert await event_ids(store, 1) == [1, 2]
        assert await store.read_tasks(1) == [task(1, 3)]
        assert [(one.kind, one.seq, one.due_us) for one in await store.read_timers(1)] == [
            (1, 4, START_US + 50)
        ]

    async def test_a_later_change_adds_events_and_moves_the_counters(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        await leader.write(change(1, 1, [b"two", b"three"]))

        run = await store.read_run(1)
        assert run is not None
        assert (run.last_event_id, run.history_bytes) == (3, 300)
        events = await store.read_history(1, after_event_id=1, limit=10, max_bytes=1 << 20)
        assert [one.data for one in events] == [b"two", b"three"]

    async def test_a_change_without_events_changes_records_only(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_tasks(new_run(1), task(1, 2)))
        await leader.write(with_tasks(change(1, 1), task(1, 2, ready=False, record=b"later")))

        assert await store.read_tasks(1) == [task(1, 2, ready=False, record=b"later")]
        assert await event_ids(store, 1) == [1]

    @pytest.mark.parametrize("expected", [0, 1, 3])
    async def test_a_wrong_expectation_refuses_the_group(self, store: Store, expected: int) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=2))
        stale = with_timers(with_tasks(change(1, expected, [b"x"]), task(1, 9)), (1, 9, 5))

        assert await leader.commit(stale) == [False]
        assert await event_ids(store, 1) == [1, 2]
        assert await store.read_tasks(1) == []
        assert await store.read_timers(1) == []

    async def test_a_change_of_a_run_that_does_not_exist_is_refused(self, store: Store) -> None:
        leader = await lead(store)
        assert await leader.commit(change(7, 0, [b"x"])) == [False]
        assert await event_ids(store, 7) == []

    async def test_a_run_key_that_exists_is_not_created_again(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "first"))
        assert await leader.commit(new_run(1, "second", run_id="other")) == [False]

        run = await store.read_run(1)
        assert run is not None
        assert run.workflow_id == "first"

    async def test_a_refused_group_does_not_touch_the_others(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1), new_run(2), new_run(3))

        applied = await leader.commit(
            change(1, 1, [b"a"]), change(2, 8, [b"stale"]), change(3, 1, [b"c"])
        )
        assert applied == [True, False, True]
        assert [await event_ids(store, key) for key in (1, 2, 3)] == [[1, 2], [1], [1, 2]]

    @pytest.mark.parametrize("bad", [0, 1, 2])
    async def test_a_group_applies_all_or_none(self, store: Store, bad: int) -> None:
        leader = await lead(store)
        await leader.write(new_run(1), new_run(2), new_run(3))
        group = [change(key, 1, [b"x"]) for key in (1, 2, 3)]
        group[bad] = change(bad + 1, 5, [b"x"])

        assert await leader.commit_groups(group, [new_run(4)]) == [False, True]
        assert [await event_ids(store, key) for key in (1, 2, 3, 4)] == [[1], [1], [1], [1]]

    async def test_a_batch_in_which_nothing_applies_writes_nothing(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        assert await leader.commit(change(1, 4, [b"x"]), change(2, 1, [b"y"])) == [False, False]
        assert await event_ids(store, 1) == [1]

    async def test_the_answers_are_in_the_order_of_the_groups(self, store: Store) -> None:
        leader = await lead(store)
        runs = range(1, 201)
        await leader.write(*(new_run(key) for key in runs))

        changes = [change(key, 1 if key % 3 else 2, [b"x"]) for key in runs]
        assert await leader.commit(*changes) == [key % 3 != 0 for key in runs]
        for key in (1, 2, 3, 198, 199, 200):
            assert await event_ids(store, key) == ([1, 2] if key % 3 else [1])

    @pytest.mark.parametrize("size", [1, 31, 32, 33, 63, 64, 65, 96, 97, 128, 130])
    async def test_batches_of_any_size(self, store: Store, size: int) -> None:
        leader = await lead(store)
        keys = range(1, size + 1)
        await leader.write(*(with_tasks(new_run(key), task(key, 1)) for key in keys))
        await leader.write(
            *(change(key, 1, [b"x"], tasks_deleted={(ACTIVITY_TASK, 1)}) for key in keys)
        )

        for key in (1, size):
            assert await event_ids(store, key) == [1, 2]
        assert await store.ready_task_keys(0) == []

    async def test_two_changes_of_one_run_in_a_batch_are_an_error_of_the_caller(
        self, store: Store
    ) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        with pytest.raises(ValueError, match="two changes of one run"):
            await leader.commit(change(1, 1, [b"x"]), change(1, 2, [b"y"]))
        assert await event_ids(store, 1) == [1]

    async def test_a_data_error_writes_nothing_and_the_store_goes_on(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1), new_run(2))
        twice = change(2, 1, [b"two"])
        twice.events.append(event(1))

        with pytest.raises(StoreDataError):
            await leader.commit(change(1, 1, [b"fine"]), twice)
        assert [await event_ids(store, key) for key in (1, 2)] == [[1], [1]]

        # The smaller batch without the bad one succeeds.
        await leader.write(change(1, 1, [b"fine"]))
        assert await event_ids(store, 1) == [1, 2]

    async def test_closing_sets_status_and_time_and_keeps_the_rest(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        before = await store.read_run(1)
        await leader.write(change(1, 1, [b"end"], closed_status=COMPLETED, closed_us=START_US + 9))

        after = await store.read_run(1)
        assert before is not None
        assert after is not None
        assert (after.status, after.closed_us) == (COMPLETED, START_US + 9)
        before.status, before.closed_us = after.status, after.closed_us
        before.last_event_id, before.history_bytes = 2, 200
        assert after == before

    async def test_deleting_what_is_not_there_is_nothing(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_timers(with_tasks(new_run(1), task(1, 2)), (1, 2, 5)))
        await leader.write(
            change(
                1,
                1,
                tasks_deleted={(WORKFLOW_TASK, 0), (ACTIVITY_TASK, 99)},
                timers_deleted={(1, 99), (2, 2)},
            )
        )
        assert len(await store.read_tasks(1)) == 1
        assert len(await store.read_timers(1)) == 1

    async def test_reads_see_a_commit_that_returned(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        for last in range(1, 30):
            await leader.write(change(1, last, [b"x"]))
            run = await store.read_run(1)
            assert run is not None
            assert run.last_event_id == last + 1

    async def test_a_read_beside_commits_sees_whole_batches(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        done = asyncio.Event()
        seen: list[int] = []

        async def read() -> None:
            while not done.is_set():
                seen.append(len(await event_ids(store, 1)))

        reader = asyncio.create_task(read())
        for turn in range(20):
            await leader.write(change(1, 1 + 3 * turn, [b"x"] * 3))
        done.set()
        await reader
        assert seen
        assert {count % 3 for count in seen} == {1}

    async def test_a_caller_that_goes_away_does_not_disturb_the_store(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        waiting = asyncio.create_task(leader.commit(change(1, 1, [b"x"])))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        # Whether it was written is open; that the store answers is not.
        run = await store.read_run(1)
        assert run is not None
        assert await event_ids(store, 1) in ([1], [1, 2])

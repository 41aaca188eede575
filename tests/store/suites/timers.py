"""Timer rows: by run, and by due time."""

from __future__ import annotations

import pytest

from sched_server.store.port import Store, TimerRow
from tests.store.rows import change, lead, new_run, with_timers


class TimerContract:
    async def test_the_timers_of_a_run(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(
            with_timers(new_run(1), (1, 2, 500), (3, 0, 100)), with_timers(new_run(2), (1, 2, 7))
        )
        assert sorted(await store.read_timers(1), key=lambda row: row.kind) == [
            TimerRow(run_key=1, kind=1, seq=2, due_us=500),
            TimerRow(run_key=1, kind=3, seq=0, due_us=100),
        ]
        assert await store.read_timers(3) == []

    async def test_a_put_replaces(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_timers(new_run(1), (1, 2, 500)))
        await leader.write(with_timers(change(1, 1), (1, 2, 900)))

        assert await store.read_timers(1) == [TimerRow(1, 1, 2, 900)]
        assert await store.due_timers(0, due_until_us=500, after=None, limit=9) == []
        assert len(await store.due_timers(0, due_until_us=900, after=None, limit=9)) == 1

    async def test_a_delete_takes_one(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_timers(new_run(1), (1, 2, 500), (2, 2, 500), (1, 3, 500)))
        await leader.write(with_timers(change(1, 1, timers_deleted={(1, 2)}), (1, 4, 1)))
        assert {(row.kind, row.seq) for row in await store.read_timers(1)} == {
            (2, 2),
            (1, 3),
            (1, 4),
        }

    async def test_due_timers_are_ordered_by_time_run_kind_and_seq(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(
            with_timers(new_run(2), (1, 1, 50), (2, 1, 40), (1, 2, 40)),
            with_timers(new_run(1), (1, 5, 50), (1, 4, 50), (1, 6, 30)),
        )
        rows = await store.due_timers(0, due_until_us=100, after=None, limit=100)
        assert rows == [
            TimerRow(1, 1, 6, 30),
            TimerRow(2, 1, 2, 40),
            TimerRow(2, 2, 1, 40),
            TimerRow(1, 1, 4, 50),
            TimerRow(1, 1, 5, 50),
            TimerRow(2, 1, 1, 50),
        ]

    async def test_the_bound_is_inclusive(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_timers(new_run(1), (1, 1, 99), (1, 2, 100), (1, 3, 101)))
        rows = await store.due_timers(0, due_until_us=100, after=None, limit=9)
        assert [row.seq for row in rows] == [1, 2]

    @pytest.mark.parametrize("page", [1, 2, 5, 11])
    async def test_paging_gives_everything_once(self, store: Store, page: int) -> None:
        leader = await lead(store)
        await leader.write(
            *(
                with_timers(
                    new_run(key), *((1 + seq % 2, seq, 10 * (seq // 2)) for seq in range(4))
                )
                for key in range(1, 4)
            )
        )
        rows: list[TimerRow] = []
        while found := await store.due_timers(
            0, due_until_us=10, after=rows[-1] if rows else None, limit=page
        ):
            assert len(found) <= page
            rows += found
        order = [(row.due_us, row.run_key, row.kind, row.seq) for row in rows]
        assert order == sorted(order)
        assert len(set(order)) == len(order) == 12

    async def test_times_of_zero_and_below_count(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_timers(new_run(1), (1, 1, 0), (1, 2, -5)))
        rows = await store.due_timers(0, due_until_us=0, after=None, limit=9)
        assert [row.due_us for row in rows] == [-5, 0]

    async def test_shard_groups_do_not_see_each_others_timers(self, store: Store) -> None:
        first, second = await lead(store, 0), await lead(store, 1)
        key = second.lease.next_run_key
        await first.write(with_timers(new_run(1), (1, 1, 5)))
        await second.write(with_timers(new_run(key), (1, 1, 5)))
        for group, run_key in ((0, 1), (1, key)):
            rows = await store.due_timers(group, due_until_us=9, after=None, limit=9)
            assert [row.run_key for row in rows] == [run_key]

    async def test_a_limit_of_nothing_reads_nothing(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_timers(new_run(1), (1, 1, 5)))
        assert await store.due_timers(0, due_until_us=9, after=None, limit=0) == []

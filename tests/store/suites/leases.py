"""Leadership: `acquire`, and the fence in `commit`."""

from __future__ import annotations

import time

import pytest

from sched_server.store.port import CommitBatch, FencedError, Store
from tests.store.rows import Leader, change, event_ids, lead, new_run


class LeaseContract:
    async def test_the_first_lease_of_a_store(self, store: Store) -> None:
        before_us = time.time_ns() // 1000
        lease = await store.acquire(0, "127.0.0.1:50051")

        assert lease.shard_group == 0
        assert lease.epoch >= 1
        assert lease.next_run_key >= 1
        # The database's clock; on another machine it may differ a little.
        assert abs(lease.now_us - before_us) < 60_000_000

    async def test_a_clock_that_was_moved_stays_ahead(self, store: Store) -> None:
        lease = await store.acquire(0, "engine")
        assert lease.advanced_us == 0
        week_us = 7 * 86_400_000_000
        await store.advance_clock(0, lease.epoch, week_us - 1)
        await store.advance_clock(0, lease.epoch, week_us)

        again = await store.acquire(0, "again")
        assert again.advanced_us == week_us
        assert again.now_us - lease.now_us >= week_us

    async def test_an_old_epoch_moves_no_clock(self, store: Store) -> None:
        old = await store.acquire(0, "old")
        new = await store.acquire(0, "new")
        with pytest.raises(FencedError):
            await store.advance_clock(0, old.epoch, 1)
        with pytest.raises(FencedError):
            await store.advance_clock(0, new.epoch + 1, 1)
        assert (await store.acquire(0, "again")).advanced_us == 0

    async def test_every_lease_has_a_higher_epoch(self, store: Store) -> None:
        epochs = [(await store.acquire(0, f"engine-{n}")).epoch for n in range(4)]
        assert epochs == sorted(set(epochs))

    async def test_the_next_run_key_was_never_used(self, store: Store) -> None:
        first = await lead(store)
        key = first.lease.next_run_key
        await first.write(new_run(key), new_run(key + 5), new_run(key + 2))

        assert (await store.acquire(0, "again")).next_run_key == key + 6

    async def test_a_refused_run_may_leave_its_key_unused_but_never_used_twice(
        self, store: Store
    ) -> None:
        leader = await lead(store)
        key = leader.lease.next_run_key
        await leader.write(new_run(key, "taken"))
        assert await leader.commit(new_run(key + 1, "taken")) == [False]

        assert (await store.acquire(0, "again")).next_run_key > key

    async def test_shard_groups_have_leases_of_their_own(self, store: Store) -> None:
        first, second = await lead(store, 0), await lead(store, 1)
        await store.acquire(1, "another engine")

        await first.write(new_run(first.lease.next_run_key))
        with pytest.raises(FencedError):
            await second.commit(new_run(second.lease.next_run_key))

    async def test_shard_groups_never_hand_out_the_same_run_key(self, store: Store) -> None:
        first, second = await lead(store, 0), await lead(store, 1)
        keys = [first.lease.next_run_key + n for n in range(3)]
        await first.write(*(new_run(key) for key in keys))

        await second.write(new_run(second.lease.next_run_key, "of the second group"))
        assert (await store.acquire(1, "again")).next_run_key not in keys
        assert (await store.acquire(0, "again")).next_run_key == keys[-1] + 1

    async def test_an_old_epoch_writes_nothing(self, store: Store) -> None:
        old = await lead(store)
        key = old.lease.next_run_key
        await old.write(new_run(key))
        await store.acquire(0, "the next leader")

        with pytest.raises(FencedError, match=f"[Ee]poch {old.lease.epoch}"):
            await old.commit(change(key, 1, [b"zombie"]), new_run(key + 1))
        assert await event_ids(store, key) == [1]
        assert await store.read_run(key + 1) is None

    async def test_the_new_epoch_goes_on_where_the_old_one_stopped(self, store: Store) -> None:
        old = await lead(store)
        key = old.lease.next_run_key
        await old.write(new_run(key))

        new = await lead(store)
        await new.write(change(key, 1, [b"next"]))
        assert await event_ids(store, key) == [1, 2]

    @pytest.mark.parametrize("ahead", [1, -1])
    async def test_only_the_current_epoch_may_write(self, store: Store, ahead: int) -> None:
        lease = await store.acquire(0, "engine")
        batch = CommitBatch(shard_group=0, epoch=lease.epoch + ahead, groups=[])
        with pytest.raises(FencedError):
            await store.commit(batch)

    async def test_a_shard_group_without_a_leader_takes_nothing(self, store: Store) -> None:
        lease = await store.acquire(0, "engine")
        with pytest.raises(FencedError):
            await store.commit(CommitBatch(shard_group=1, epoch=lease.epoch, groups=[]))

    async def test_an_empty_batch_asks_whether_the_epoch_is_current(self, store: Store) -> None:
        leader: Leader = await lead(store)
        assert await leader.commit_groups() == []

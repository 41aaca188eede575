"""What is still there after the store was closed and opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sched_server.store.port import FencedError, Store, StoreUnavailableError
from tests.store.rows import (
    COMPLETED,
    change,
    event_ids,
    lead,
    new_run,
    task,
    with_tasks,
    with_timers,
)

Reopen = Callable[[], Awaitable[Store]]


class DurabilityContract:
    async def test_everything_is_there_again(self, store: Store, reopen: Reopen) -> None:
        leader = await lead(store)
        await leader.write(
            with_timers(with_tasks(new_run(1, "a"), task(1, 2)), (1, 3, 40)), new_run(2, "b")
        )
        await leader.write(change(2, 1, [b"end"], closed_status=COMPLETED, closed_us=7))
        before = [await store.read_run(1), await store.read_run(2)]

        again = await reopen()
        assert [await again.read_run(1), await again.read_run(2)] == before
        assert await event_ids(again, 2) == [1, 2]
        assert await again.read_tasks(1) == [task(1, 2)]
        assert len(await again.read_timers(1)) == 1

    async def test_epochs_and_run_keys_go_on(self, store: Store, reopen: Reopen) -> None:
        leader = await lead(store)
        key = leader.lease.next_run_key
        await leader.write(new_run(key))

        lease = await (await reopen()).acquire(0, "later")
        assert lease.epoch > leader.lease.epoch
        assert lease.next_run_key == key + 1

    async def test_a_lease_outlives_the_connection_until_the_next_one(
        self, store: Store, reopen: Reopen
    ) -> None:
        leader = await lead(store)
        leader.store = await reopen()
        await leader.write(new_run(1))
        await leader.store.acquire(0, "next")
        with pytest.raises(FencedError):
            await leader.commit(new_run(2))

    async def test_open_runs_are_still_open(self, store: Store, reopen: Reopen) -> None:
        await (await lead(store)).write(new_run(1, "wf"))
        leader = await lead(await reopen())
        assert await leader.commit(new_run(2, "wf")) == [False]

    async def test_closing_finishes_what_is_under_way(self, store: Store, reopen: Reopen) -> None:
        leader = await lead(store)
        waiting = asyncio.create_task(leader.commit(*(new_run(key) for key in range(1, 200))))
        await asyncio.sleep(0)
        again = await reopen()

        assert await waiting == [True] * 199
        assert await event_ids(again, 199) == [1]

    async def test_a_closed_store_is_unavailable(self, store: Store) -> None:
        leader = await lead(store)
        await store.close()
        with pytest.raises(StoreUnavailableError):
            await leader.commit(new_run(1))
        with pytest.raises(StoreUnavailableError):
            await store.read_run(1)
        await store.close()

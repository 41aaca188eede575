"""`read_history`: pages of committed events, bounded by number and by bytes.
`read_event_marks`: what happened at one place of many histories."""

from __future__ import annotations

import pytest

from sched_server.store.port import EventMark, EventRow, Store
from tests.store.rows import START_US, change, lead, new_run

ENOUGH = 1 << 30


class HistoryContract:
    async def test_events_come_back_with_every_field(self, store: Store) -> None:
        leader = await lead(store)
        started = new_run(1)
        rows = [EventRow(1, 1, START_US, b"one"), EventRow(2, 4, START_US + 7, b"two")]
        started.events, started.last_event_id = list(rows), 2
        await leader.write(started)

        assert await store.read_history(1, after_event_id=0, limit=9, max_bytes=ENOUGH) == rows

    async def test_order_is_by_event_id_whatever_the_order_of_writing(self, store: Store) -> None:
        leader = await lead(store)
        started = new_run(1, events=300)
        started.events.reverse()
        await leader.write(started, new_run(2, events=3))

        events = await store.read_history(1, after_event_id=0, limit=1000, max_bytes=ENOUGH)
        assert [one.event_id for one in events] == list(range(1, 301))

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
    async def test_paging_by_number_gives_everything_once(self, store: Store, limit: int) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=20), new_run(2, events=5))

        seen: list[int] = []
        while page := await store.read_history(
            1, after_event_id=seen[-1] if seen else 0, limit=limit, max_bytes=ENOUGH
        ):
            assert len(page) <= limit
            seen += [one.event_id for one in page]
        assert seen == list(range(1, 21))

    @pytest.mark.parametrize(
        ("max_bytes", "expected"),
        [(0, 1), (1, 1), (10, 1), (19, 1), (20, 2), (29, 2), (30, 3), (1000, 5)],
    )
    async def test_a_page_holds_so_many_bytes_but_at_least_one_event(
        self, store: Store, max_bytes: int, expected: int
    ) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=0))
        await leader.write(change(1, 0, [b"0123456789"] * 5))

        page = await store.read_history(1, after_event_id=0, limit=100, max_bytes=max_bytes)
        assert [one.event_id for one in page] == list(range(1, expected + 1))

    async def test_a_large_event_behind_small_ones_waits_for_the_next_page(
        self, store: Store
    ) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=0))
        await leader.write(change(1, 0, [b"s", b"L" * 5000, b"s", b"s"]))

        async def page(after_event_id: int) -> list[int]:
            events = await store.read_history(
                1, after_event_id=after_event_id, limit=100, max_bytes=100
            )
            return [one.event_id for one in events]

        assert [await page(0), await page(1), await page(2)] == [[1], [2], [3, 4]]

    async def test_both_limits_hold(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=0))
        await leader.write(change(1, 0, [b"0123456789"] * 9))
        page = await store.read_history(1, after_event_id=2, limit=3, max_bytes=1000)
        assert [one.event_id for one in page] == [3, 4, 5]

    async def test_behind_the_end_there_is_nothing(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=3))
        assert await store.read_history(1, after_event_id=3, limit=5, max_bytes=ENOUGH) == []
        assert await store.read_history(1, after_event_id=99, limit=5, max_bytes=ENOUGH) == []
        assert await store.read_history(8, after_event_id=0, limit=5, max_bytes=ENOUGH) == []

    async def test_a_limit_of_nothing_reads_nothing(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=3))
        assert await store.read_history(1, after_event_id=0, limit=0, max_bytes=ENOUGH) == []

    async def test_marks_are_of_the_events_that_are_asked_for(self, store: Store) -> None:
        leader = await lead(store)
        started = new_run(1)
        started.events = [EventRow(1, 1, START_US, b"one"), EventRow(2, 11, START_US + 7, b"two")]
        started.last_event_id = 2
        await leader.write(started, new_run(2, events=3))

        assert await store.read_event_marks([(2, 3), (1, 2)]) == {
            1: EventMark(11, START_US + 7),
            2: EventMark(1, START_US + 3),
        }
        assert await store.read_event_marks([(1, 1)]) == {1: EventMark(1, START_US)}

    async def test_an_event_that_is_not_there_has_no_mark(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, events=3), new_run(2))
        assert set(await store.read_event_marks([(1, 4), (2, 1), (8, 1)])) == {2}
        assert await store.read_event_marks([]) == {}

    async def test_marks_of_a_large_page_come_all(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(*(new_run(key, events=key % 5 + 1) for key in range(1, 201)))
        found = await store.read_event_marks([(key, key % 5 + 1) for key in range(1, 201)])
        assert {key: mark.time_us - START_US for key, mark in found.items()} == {
            key: key % 5 + 1 for key in range(1, 201)
        }

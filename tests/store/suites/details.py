"""`read_details`: what runs say they are doing, kept apart from all that changes more often."""

from __future__ import annotations

from sched_server.store.port import Store
from tests.store.rows import COMPLETED, change, lead, new_run


class DetailsContract:
    async def test_details_are_those_of_the_last_change_that_had_some(self, store: Store) -> None:
        leader = await lead(store)
        first = new_run(1)
        first.details = "packing"
        await leader.write(first, new_run(2), new_run(3))
        assert await store.read_details([1, 2, 3]) == {1: "packing"}
        await leader.write(change(1, 1, [b"x"]), change(3, 1, [b"x"], details="begun\nat last"))
        assert await store.read_details([3, 1]) == {1: "packing", 3: "begun\nat last"}
        await leader.write(change(1, 2, [b"x"], details="sent"))
        assert await store.read_details([1]) == {1: "sent"}

    async def test_empty_details_clear(self, store: Store) -> None:
        leader = await lead(store)
        first = new_run(1)
        first.details = "packing"
        await leader.write(first, new_run(2))
        await leader.write(change(1, 1, [b"x"], details=""), change(2, 1, [b"x"], details=""))
        assert await store.read_details([1, 2, 8]) == {}
        assert await store.read_details([]) == {}

    async def test_details_outlive_the_run(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        await leader.write(
            change(1, 1, [b"end"], details="sent", closed_status=COMPLETED, closed_us=5)
        )
        assert await store.read_details([1]) == {1: "sent"}

    async def test_details_of_a_change_that_is_not_applied_are_not_written(
        self, store: Store
    ) -> None:
        leader = await lead(store)
        await leader.write(new_run(1), new_run(2))
        applied = await leader.commit(
            change(1, 7, [b"x"], details="wrong"), change(2, 1, [b"x"], details="right")
        )
        assert applied == [False, True]
        assert await store.read_details([1, 2]) == {2: "right"}

    async def test_details_of_any_letters_and_of_a_large_page(self, store: Store) -> None:
        leader = await lead(store)
        text = "Prüfung 检查 🙂 \u2028" * 400
        await leader.write(*(new_run(key) for key in range(1, 201)))
        await leader.write(
            *(change(key, 1, [b"x"], details=f"{key} {text[:key]}") for key in range(1, 201)),
        )
        found = await store.read_details(range(1, 201))
        assert found == {key: f"{key} {text[:key]}" for key in range(1, 201)}

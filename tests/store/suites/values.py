"""Values at their limits: what goes in comes out, or is refused whole."""

from __future__ import annotations

import pytest

from sched_server.store.port import RunFilter, Store, StoreDataError
from tests.store.rows import change, event, event_ids, lead, new_run, task, with_tasks

HARD_TEXTS = [
    "",
    " ",
    "o'brien; DROP TABLE runs; --",
    'double " quote',
    "100%_done\\",
    "naïve 日本語 🚀",
    "\U0010ffff",
    "line\nbreak\ttab",
    "x" * 1020,
    "NULL",
    "12e3",
    "007",
]


class ValueContract:
    @pytest.mark.parametrize("text", HARD_TEXTS)
    async def test_texts_come_back_as_they_were(self, store: Store, text: str) -> None:
        leader = await lead(store)
        created = new_run(
            1,
            workflow_type=text,
            task_queue=text,
            run_id=text or "r",
            start_request_id=text,
        )
        created.created.workflow_id = text  # type: ignore[union-attr] - new_run sets it
        await leader.write(
            with_tasks(created, task(1, 1, task_queue=text, name=text, assignee=text))
        )

        run = await store.read_run(1)
        assert run is not None
        assert (run.workflow_id, run.workflow_type, run.task_queue) == (text, text, text)
        assert run.start_request_id == text
        assert (await store.find_runs([text]))[text] == [run]
        assert await store.find_run_by_id(text or "r") == run
        (pending,) = await store.read_tasks(1)
        assert (pending.task_queue, pending.name, pending.assignee) == (text, text, text)

    @pytest.mark.parametrize("data", [b"", b"\0", bytes(range(256)), b"\xff" * 70_000])
    async def test_bytes_come_back_as_they_were(self, store: Store, data: bytes) -> None:
        leader = await lead(store)
        await leader.write(with_tasks(new_run(1), task(1, 1, record=data)))
        await leader.write(change(1, 1, [data]))

        events = await store.read_history(1, after_event_id=1, limit=1, max_bytes=1)
        assert [one.data for one in events] == [data]
        assert [one.record for one in await store.read_tasks(1)] == [data]

    async def test_a_payload_of_two_megabytes(self, store: Store) -> None:
        leader = await lead(store)
        data = bytes(range(256)) * 8192
        await leader.write(new_run(1), new_run(2))
        await leader.write(change(1, 1, [data]), change(2, 1, [b"small"]))

        (large,) = await store.read_history(1, after_event_id=1, limit=5, max_bytes=1)
        assert large == event(2, data)

    async def test_the_largest_integers(self, store: Store) -> None:
        leader = await lead(store)
        large = (1 << 63) - 1
        created = new_run(1, started_us=large)
        created.history_bytes = large
        await leader.write(with_tasks(created, task(1, 1, ready_since_us=large)))

        run = await store.read_run(1)
        assert run is not None
        assert (run.started_us, run.history_bytes) == (large, large)
        assert (await store.read_tasks(1))[0].ready_since_us == large

    @pytest.mark.parametrize("field", ["started_us", "status"])
    async def test_an_integer_that_does_not_fit_is_a_data_error(
        self, store: Store, field: str
    ) -> None:
        leader = await lead(store)
        with pytest.raises(StoreDataError):
            await leader.commit(new_run(1), new_run(2, **{field: 1 << 63}))
        assert await store.count_runs(RunFilter()) == {}

    async def test_a_lone_surrogate_is_a_data_error(self, store: Store) -> None:
        leader = await lead(store)
        with pytest.raises(StoreDataError):
            await leader.commit(new_run(1), new_run(2, workflow_type="\ud800"))
        assert await store.read_run(1) is None
        await leader.write(new_run(1))

    async def test_a_run_id_that_is_taken_is_a_data_error(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, run_id="same"))
        with pytest.raises(StoreDataError):
            await leader.commit(new_run(2, run_id="same"), new_run(3))
        assert await store.read_run(3) is None

    async def test_nul_in_a_text_is_kept_or_refused_whole(self, store: Store) -> None:
        """The engine lets none through; a store must not cut the text there."""
        leader = await lead(store)
        try:
            await leader.commit(new_run(1, "nul\0inside"), new_run(2))
        except StoreDataError:
            assert await store.read_run(1) is None
            assert await store.read_run(2) is None
        else:
            run = await store.read_run(1)
            assert run is not None
            assert run.workflow_id == "nul\0inside"
            assert await store.find_runs(["nul"]) == {}
        await leader.write(new_run(3))
        assert await event_ids(store, 3) == [1]

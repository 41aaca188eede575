"""`list_runs` and `count_runs`."""

from __future__ import annotations

import pytest

from sched_server.store.port import RunFilter, Store
from tests.store.rows import COMPLETED, FAILED, RUNNING, START_US, change, lead, new_run


async def listed(store: Store, **conditions: object) -> list[int]:
    run_filter = RunFilter(**conditions)  # type: ignore[arg-type] - each test names real fields
    runs = await store.list_runs(run_filter, after=None, limit=1000)
    counts = await store.count_runs(run_filter)
    assert sum(counts.values()) == len(runs), "list and count disagree"
    return [run.run_key for run in runs]


class ListContract:
    async def test_newest_first_by_start_then_key(self, store: Store) -> None:
        leader = await lead(store)
        for key, started in ((1, 30), (2, 10), (3, 20), (4, 20)):
            await leader.write(new_run(key, started_us=started))
        assert await listed(store) == [1, 4, 3, 2]

    async def test_an_empty_store_lists_nothing(self, store: Store) -> None:
        assert await listed(store) == []
        assert await store.count_runs(RunFilter()) == {}

    async def test_lists_give_whole_rows(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        await leader.write(change(1, 1, [b"x"], closed_status=FAILED, closed_us=9))
        assert await store.list_runs(RunFilter(), after=None, limit=1) == [await store.read_run(1)]

    async def test_filters_by_status(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(*(new_run(key) for key in range(1, 6)))
        await leader.write(change(2, 1, closed_status=COMPLETED, closed_us=9))
        await leader.write(change(4, 1, closed_status=FAILED, closed_us=9))

        assert await listed(store, statuses=(RUNNING,)) == [5, 3, 1]
        assert await listed(store, statuses=(COMPLETED, FAILED)) == [4, 2]
        assert await listed(store, statuses=(6,)) == []
        assert await store.count_runs(RunFilter()) == {RUNNING: 3, COMPLETED: 1, FAILED: 1}
        assert await store.count_runs(RunFilter(statuses=(FAILED, 6))) == {FAILED: 1}

    async def test_filters_by_type_and_by_queue(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(
            new_run(1, workflow_type="A", task_queue="x"),
            new_run(2, workflow_type="A", task_queue="y"),
            new_run(3, workflow_type="AB", task_queue="x"),
        )
        assert await listed(store, workflow_type="A") == [2, 1]
        assert await listed(store, task_queue="x") == [3, 1]
        assert await listed(store, workflow_type="A", task_queue="x") == [1]
        assert await listed(store, workflow_type="a") == []

    async def test_filters_by_build(self, store: Store) -> None:
        """The build of the last workflow task, which may change with every commit."""
        leader = await lead(store)
        await leader.write(new_run(1), new_run(2), new_run(3))
        await leader.write(change(1, 1, [b"a"], build_id="old"))
        await leader.write(change(2, 1, [b"a"], build_id="old"))
        await leader.write(change(2, 2, [b"b"], build_id="new"))
        assert await listed(store, build_id="old") == [1]
        assert await listed(store, build_id="new") == [2]
        assert await listed(store, build_id="ne") == []
        assert await store.count_runs(RunFilter(build_id="new")) == {RUNNING: 1}
        run = await store.read_run(2)
        assert run is not None
        assert run.build_id == "new"

    async def test_filters_by_start_time(self, store: Store) -> None:
        leader = await lead(store)
        for key in (1, 2, 3, 4):
            await leader.write(new_run(key, started_us=key * 10))
        assert await listed(store, started_after_us=20) == [4, 3, 2]
        assert await listed(store, started_before_us=30) == [2, 1]
        assert await listed(store, started_after_us=20, started_before_us=40) == [3, 2]
        assert await listed(store, started_after_us=21, started_before_us=30) == []

    async def test_all_filters_together(self, store: Store) -> None:
        leader = await lead(store)
        for key in range(1, 9):
            await leader.write(
                new_run(key, f"wf-{key % 2}-{key}", workflow_type="AB"[key > 4], started_us=key)
            )
        assert await listed(
            store,
            statuses=(RUNNING, FAILED),
            workflow_type="A",
            task_queue="default",
            workflow_id_prefix="wf-1",
            started_after_us=2,
            started_before_us=8,
        ) == [3]

    @pytest.mark.parametrize(
        ("prefix", "expected"),
        [
            ("wf", {"wf", "wf-", "wf-1", "wf-10", "wf-2", "wf.1", "wfé", "wf\U0010ffff", "wf_1"}),
            ("wf-", {"wf-", "wf-1", "wf-10", "wf-2"}),
            ("wf-1", {"wf-1", "wf-10"}),
            ("wf_", {"wf_1"}),
            ("%", {"%"}),
            ("WF", {"WF-1"}),
            ("wf\U0010ffff", {"wf\U0010ffff"}),
            ("\U0010ffff", {"\U0010ffff\U0010ffff", "\U0010ffffa"}),
            ("\U0010ffff\U0010ffff", {"\U0010ffff\U0010ffff"}),
            ("\ud7ff", {"\ud7ffz"}),
            ("\uffff", {"\uffffb"}),
            ("zzz", set()),
        ],
    )
    async def test_a_prefix_is_matched_byte_by_byte(
        self, store: Store, prefix: str, expected: set[str]
    ) -> None:
        workflow_ids = [
            "a", "wf", "wf-", "wf-1", "wf-10", "wf-2", "wf.1", "WF-1", "wf_1", "wfé", "wg", "w",
            "%", "x", "wf\U0010ffff", "\U0010ffff\U0010ffff", "\U0010ffffa", "\ud7ffz", "\ue000",
            "\uffffb", "\U00010000", "", " wf",
        ]  # fmt: skip
        leader = await lead(store)
        starts = [new_run(key) for key in range(1, len(workflow_ids) + 1)]
        for start, workflow_id in zip(starts, workflow_ids, strict=True):
            start.created.workflow_id = workflow_id  # type: ignore[union-attr] - new_run sets it
        await leader.write(*starts)

        found = await store.list_runs(RunFilter(workflow_id_prefix=prefix), after=None, limit=100)
        assert {run.workflow_id for run in found} == expected
        assert len(found) == len(expected)

    async def test_an_empty_prefix_does_not_restrict(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1), new_run(2))
        assert await listed(store, workflow_id_prefix="") == [2, 1]

    @pytest.mark.parametrize("page", [1, 2, 3, 10])
    @pytest.mark.parametrize("statuses", [(), (RUNNING, COMPLETED)])
    async def test_paging_gives_everything_once(
        self, store: Store, page: int, statuses: tuple[int, ...]
    ) -> None:
        leader = await lead(store)
        await leader.write(*(new_run(key, started_us=START_US + key // 3) for key in range(1, 11)))
        await leader.write(change(5, 1, closed_status=COMPLETED, closed_us=9))

        seen: list[int] = []
        after: tuple[int, int] | None = None
        while runs := await store.list_runs(RunFilter(statuses=statuses), after=after, limit=page):
            assert len(runs) <= page
            seen += [run.run_key for run in runs]
            after = (runs[-1].started_us, runs[-1].run_key)
        assert seen == list(range(10, 0, -1))

    async def test_a_run_that_starts_meanwhile_does_not_shift_the_pages(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(*(new_run(key) for key in range(1, 5)))
        first = await store.list_runs(RunFilter(), after=None, limit=2)
        await leader.write(new_run(5))

        after = (first[-1].started_us, first[-1].run_key)
        rest = await store.list_runs(RunFilter(), after=after, limit=9)
        assert [run.run_key for run in first + rest] == [4, 3, 2, 1]

    async def test_a_limit_of_nothing_lists_nothing(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        assert await store.list_runs(RunFilter(), after=None, limit=0) == []

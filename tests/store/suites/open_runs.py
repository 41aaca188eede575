"""At most one open run for each workflow id. Groups are judged in order; a
group's own closes count before its opens."""

from __future__ import annotations

import pytest

from sched_server.store.port import RunChange, Store
from tests.store.rows import COMPLETED, CONTINUED_AS_NEW, START_US, change, lead, new_run


def close(run_key: int, expected: int = 1, status: int = COMPLETED) -> RunChange:
    return change(run_key, expected, [b"end"], closed_status=status, closed_us=START_US + 99)


class OpenRunContract:
    async def test_a_second_open_run_is_refused_not_an_error(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "wf"))

        assert await leader.commit(new_run(2, "wf"), new_run(3, "other")) == [False, True]
        assert await store.read_run(2) is None

    async def test_after_the_close_the_workflow_id_is_free(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "wf"))
        await leader.write(close(1))
        await leader.write(new_run(2, "wf"))

        found = await store.find_runs(["wf"], limit_per_id=5)
        assert [(run.run_key, run.status) for run in found["wf"]] == [(2, 1), (1, COMPLETED)]

    async def test_of_two_starts_in_one_batch_the_first_wins(self, store: Store) -> None:
        leader = await lead(store)
        assert await leader.commit(new_run(2, "wf"), new_run(1, "wf")) == [True, False]
        assert await store.read_run(1) is None

    async def test_two_starts_in_one_group_are_refused(self, store: Store) -> None:
        leader = await lead(store)
        group = [new_run(1, "wf"), new_run(2, "wf")]
        assert await leader.commit_groups(group, [new_run(3, "wf")]) == [False, True]

    @pytest.mark.parametrize("close_first", [True, False])
    async def test_a_group_replaces_a_run_in_either_order(
        self, store: Store, close_first: bool
    ) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "wf"))
        group = [close(1, status=CONTINUED_AS_NEW), new_run(2, "wf")]

        assert await leader.commit_groups(group if close_first else group[::-1]) == [True]
        found = await store.find_runs(["wf"], limit_per_id=5)
        assert [run.status for run in found["wf"]] == [1, CONTINUED_AS_NEW]

    async def test_a_chain_of_replacements_in_one_batch(self, store: Store) -> None:
        """Each group sees what the groups before it opened and closed."""
        leader = await lead(store)
        await leader.write(new_run(1, "wf"), new_run(5, "other"))

        applied = await leader.commit_groups(
            [new_run(2, "wf")],  # 1 is still open
            [close(1)],
            [new_run(3, "wf")],  # free now
            [new_run(4, "wf")],  # taken again
            [close(5), new_run(6, "other")],
        )
        assert applied == [False, True, True, False, True]
        runs = await store.find_runs(["wf", "other"])
        assert {name: found[0].run_key for name, found in runs.items()} == {"wf": 3, "other": 6}

    async def test_a_refused_close_does_not_free_the_workflow_id(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "wf"))
        assert await leader.commit_groups([close(1, expected=8)], [new_run(2, "wf")]) == [
            False,
            False,
        ]

    async def test_a_refused_open_does_not_take_the_workflow_id(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1))
        refused = [new_run(2, "wf"), change(1, 8, [b"stale"])]
        assert await leader.commit_groups(refused, [new_run(3, "wf")]) == [False, True]

    async def test_a_group_whose_close_is_stale_does_not_open(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "wf"))
        assert await leader.commit_groups([close(1, expected=8), new_run(2, "wf")]) == [False]
        run = await store.read_run(1)
        assert run is not None
        assert run.status == 1

    async def test_a_run_that_is_created_closed_takes_no_workflow_id(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "wf"))
        brief = new_run(2, "wf")
        brief.closed_status, brief.closed_us = COMPLETED, START_US + 5

        assert await leader.commit(brief) == [True]
        run = await store.read_run(2)
        assert run is not None
        assert (run.status, run.closed_us) == (COMPLETED, START_US + 5)
        assert await leader.commit(new_run(3, "wf")) == [False]  # by run 1

    async def test_a_run_that_opens_and_closes_in_one_batch_frees_its_id(
        self, store: Store
    ) -> None:
        leader = await lead(store)
        brief = new_run(1, "wf")
        brief.closed_status, brief.closed_us = COMPLETED, START_US + 5
        assert await leader.commit(brief, new_run(2, "wf")) == [True, True]

    async def test_workflow_ids_that_differ_in_case_are_different(self, store: Store) -> None:
        leader = await lead(store)
        assert await leader.commit(new_run(1, "WF"), new_run(2, "wf"), new_run(3, "wf ")) == [
            True,
            True,
            True,
        ]

    async def test_many_starts_some_of_them_taken(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(*(new_run(key, f"wf-{key}") for key in range(0, 150, 5)))
        starts = [new_run(1000 + key, f"wf-{key}") for key in range(150)]
        assert await leader.commit(*starts) == [key % 5 != 0 for key in range(150)]

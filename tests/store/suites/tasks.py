"""Task rows: the pending records of a run, and the backlog of a queue."""

from __future__ import annotations

import pytest

from sched_server.store.port import (
    ACTIVITY_TASK,
    WORKFLOW_TASK,
    Store,
    TaskKey,
    TaskRow,
)
from tests.store.rows import START_US, change, lead, new_run, task, with_tasks

EMAILS = TaskKey(task_queue="default", kind=ACTIVITY_TASK, name="send_email")


def workflow_task(run_key: int, **fields: object) -> TaskRow:
    return task(run_key, 0, kind=WORKFLOW_TASK, name="Report", **fields)


async def backlog(store: Store, key: TaskKey = EMAILS, *, page: int = 1000) -> list[TaskRow]:
    rows: list[TaskRow] = []
    while found := await store.ready_tasks(0, key, after=rows[-1] if rows else None, limit=page):
        assert len(found) <= page
        rows += found
    return rows


class TaskContract:
    async def test_a_task_comes_back_with_every_field(self, store: Store) -> None:
        leader = await lead(store)
        row = TaskRow(
            run_key=1,
            kind=ACTIVITY_TASK,
            seq=12,
            task_queue="billing",
            name="charge",
            ready=False,
            assignee="session-7",
            ready_since_us=START_US + 3,
            record=b"\x08\x01",
        )
        await leader.write(with_tasks(new_run(1), row))
        assert await store.read_tasks(1) == [row]

    async def test_ready_is_a_truth_value(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_tasks(new_run(1), task(1, 1, ready=True), task(1, 2, ready=False)))
        assert [row.ready for row in await store.read_tasks(1)] == [True, False]
        assert all(type(row.ready) is bool for row in await store.read_tasks(1))

    async def test_tasks_are_named_by_run_kind_and_seq(self, store: Store) -> None:
        leader = await lead(store)
        activity = task(1, 0)
        await leader.write(
            with_tasks(new_run(1), workflow_task(1), activity),
            with_tasks(new_run(2), workflow_task(2)),
        )
        await leader.write(change(1, 1, tasks_deleted={(WORKFLOW_TASK, 0)}))

        assert await store.read_tasks(1) == [activity]
        assert await store.read_tasks(2) == [workflow_task(2)]

    async def test_a_put_replaces(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_tasks(new_run(1), task(1, 1)))
        later = task(
            1, 1, task_queue="other", name="charge", ready=False, assignee="s", record=b"2"
        )
        await leader.write(with_tasks(change(1, 1), later))

        assert await store.read_tasks(1) == [later]
        assert await backlog(store) == []

    async def test_one_change_deletes_and_puts(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_tasks(new_run(1), task(1, 1), task(1, 2)))
        await leader.write(with_tasks(change(1, 1, tasks_deleted={(ACTIVITY_TASK, 1)}), task(1, 3)))
        assert [row.seq for row in await store.read_tasks(1)] == [2, 3]

    async def test_the_backlog_is_ordered_by_time_run_and_seq(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(
            with_tasks(new_run(1), task(1, 9, ready_since_us=30), task(1, 2, ready_since_us=20)),
            with_tasks(new_run(2), task(2, 5, ready_since_us=20), task(2, 4, ready_since_us=20)),
            with_tasks(new_run(3), task(3, 1, ready_since_us=10)),
        )
        assert [(row.run_key, row.seq) for row in await backlog(store)] == [
            (3, 1),
            (1, 2),
            (2, 4),
            (2, 5),
            (1, 9),
        ]

    async def test_the_backlog_of_a_key_holds_that_key_and_ready_ones_only(
        self, store: Store
    ) -> None:
        leader = await lead(store)
        await leader.write(
            with_tasks(
                new_run(1),
                workflow_task(1),
                task(1, 1),
                task(1, 2, ready=False),
                task(1, 3, task_queue="other"),
                task(1, 4, name="charge"),
                task(1, 5, ready=False, assignee="session"),
            )
        )
        assert [row.seq for row in await backlog(store)] == [1]
        key = TaskKey(task_queue="default", kind=WORKFLOW_TASK, name="Report")
        assert await backlog(store, key) == [workflow_task(1)]
        nothing = TaskKey(task_queue="default", kind=WORKFLOW_TASK, name="send_email")
        assert await backlog(store, nothing) == []

    @pytest.mark.parametrize("page", [1, 2, 5, 13])
    async def test_paging_through_a_backlog_gives_everything_once(
        self, store: Store, page: int
    ) -> None:
        leader = await lead(store)
        await leader.write(
            *(
                with_tasks(
                    new_run(key), *(task(key, seq, ready_since_us=seq // 2) for seq in range(4))
                )
                for key in range(1, 4)
            )
        )
        rows = await backlog(store, page=page)
        order = [(row.ready_since_us, row.run_key, row.seq) for row in rows]
        assert order == sorted(order)
        assert len(set(order)) == len(order) == 12

    async def test_a_page_goes_on_behind_a_task_that_is_gone(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(with_tasks(new_run(1), *(task(1, seq) for seq in (1, 2, 3))))
        (first,) = await store.ready_tasks(0, EMAILS, after=None, limit=1)
        await leader.write(change(1, 1, tasks_deleted={(ACTIVITY_TASK, 1)}))

        rest = await store.ready_tasks(0, EMAILS, after=first, limit=9)
        assert [row.seq for row in rest] == [2, 3]

    async def test_the_keys_with_a_backlog_and_how_long_it_is(self, store: Store) -> None:
        leader = await lead(store)
        assert await store.ready_task_keys(0) == []
        await leader.write(
            with_tasks(
                new_run(1), workflow_task(1), task(1, 1), task(1, 2), task(1, 3, name="charge")
            ),
            with_tasks(new_run(2), task(2, 1), task(2, 2, task_queue="idle", ready=False)),
        )
        counts = await store.ready_task_keys(0)
        assert len(counts) == 3
        assert dict(counts) == {
            EMAILS: 3,
            TaskKey(task_queue="default", kind=ACTIVITY_TASK, name="charge"): 1,
            TaskKey(task_queue="default", kind=WORKFLOW_TASK, name="Report"): 1,
        }

    async def test_assigned_activities_by_run_and_seq(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(
            with_tasks(
                new_run(2),
                task(2, 3, ready=False, assignee="a"),
                task(2, 1, ready=False, assignee="b"),
            ),
            with_tasks(
                new_run(1),
                task(1, 8, ready=False, assignee="a"),
                task(1, 9),
                task(1, 10, ready=False),
                workflow_task(1, ready=False, assignee="no activity"),
            ),
        )
        rows = await store.assigned_tasks(0, after=None, limit=10)
        assert [(row.run_key, row.seq, row.assignee) for row in rows] == [
            (1, 8, "a"),
            (2, 1, "b"),
            (2, 3, "a"),
        ]
        assert rows[0] == task(1, 8, ready=False, assignee="a")

    @pytest.mark.parametrize("page", [1, 2, 7])
    async def test_paging_through_assigned_activities(self, store: Store, page: int) -> None:
        leader = await lead(store)
        await leader.write(
            *(
                with_tasks(
                    new_run(key), *(task(key, seq, assignee="s", ready=False) for seq in (1, 2))
                )
                for key in range(1, 5)
            )
        )
        seen: list[tuple[int, int]] = []
        while rows := await store.assigned_tasks(0, after=seen[-1] if seen else None, limit=page):
            assert len(rows) <= page
            seen += [(row.run_key, row.seq) for row in rows]
        assert seen == [(key, seq) for key in range(1, 5) for seq in (1, 2)]

    async def test_shard_groups_do_not_see_each_others_tasks(self, store: Store) -> None:
        first, second = await lead(store, 0), await lead(store, 1)
        key = second.lease.next_run_key
        await first.write(with_tasks(new_run(1), task(1, 1), task(1, 2, assignee="a", ready=False)))
        await second.write(
            with_tasks(new_run(key), task(key, 1), task(key, 2, assignee="a", ready=False))
        )
        for group, run_key in ((0, 1), (1, key)):
            ready = await store.ready_tasks(group, EMAILS, after=None, limit=9)
            assigned = await store.assigned_tasks(group, after=None, limit=9)
            assert [row.run_key for row in ready + assigned] == [run_key, run_key]
            assert await store.ready_task_keys(group) == [(EMAILS, 1)]

    async def test_a_limit_of_nothing_reads_nothing(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(
            with_tasks(new_run(1), task(1, 1), task(1, 2, assignee="a", ready=False))
        )
        assert await store.ready_tasks(0, EMAILS, after=None, limit=0) == []
        assert await store.assigned_tasks(0, after=None, limit=0) == []

"""Look-ups of runs."""

from __future__ import annotations

from sched_server.store.port import RunRow, Store
from tests.store.rows import COMPLETED, START_US, Leader, change, lead, new_run


async def write_chain(leader: Leader, workflow_id: str, keys: list[int]) -> None:
    """Runs of one workflow id, each but the last closed."""
    for key in keys:
        await leader.write(new_run(key, workflow_id))
        if key != keys[-1]:
            await leader.write(change(key, 1, closed_status=COMPLETED, closed_us=START_US + key))


class RunContract:
    async def test_a_run_comes_back_with_every_field(self, store: Store) -> None:
        leader = await lead(store)
        created = new_run(
            3,
            "invoice-3",
            run_id="0190-3",
            shard=511,
            workflow_type="Invoice",
            task_queue="billing",
            start_request_id="from-the-client",
            started_us=START_US + 5,
            # The counters are the change's, whatever the row says.
            last_event_id=77,
            history_bytes=77,
        )
        created.history_bytes = 1234
        await leader.write(created)

        assert await store.read_run(3) == RunRow(
            run_key=3,
            run_id="0190-3",
            workflow_id="invoice-3",
            shard=511,
            workflow_type="Invoice",
            task_queue="billing",
            status=1,
            start_request_id="from-the-client",
            started_us=START_US + 5,
            closed_us=0,
            last_event_id=1,
            history_bytes=1234,
        )

    async def test_what_does_not_exist_is_none(self, store: Store) -> None:
        assert await store.read_run(1) is None
        assert await store.find_run_by_id("run-1") is None
        assert await store.find_start("wf-1", "request-1") is None

    async def test_a_run_by_its_id(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, run_id="aa"), new_run(2, run_id="ab"))

        run = await store.find_run_by_id("ab")
        assert run is not None
        assert run.run_key == 2
        assert await store.find_run_by_id("a") is None

    async def test_the_newest_run_of_each_workflow_id(self, store: Store) -> None:
        leader = await lead(store)
        await write_chain(leader, "a", [1, 4, 6])
        await write_chain(leader, "b", [2, 5])
        await write_chain(leader, "c", [3])

        found = await store.find_runs(["b", "missing", "a"])
        assert {name: [run.run_key for run in runs] for name, runs in found.items()} == {
            "a": [6],
            "b": [5],
        }

    async def test_several_runs_of_each_workflow_id_newest_first(self, store: Store) -> None:
        leader = await lead(store)
        await write_chain(leader, "a", [1, 4, 6, 7])
        await write_chain(leader, "b", [2, 5])

        found = await store.find_runs(["a", "b"], limit_per_id=3)
        assert {name: [run.run_key for run in runs] for name, runs in found.items()} == {
            "a": [7, 6, 4],
            "b": [5, 2],
        }

    async def test_find_runs_gives_whole_rows(self, store: Store) -> None:
        leader = await lead(store)
        await write_chain(leader, "a", [1, 2])
        found = await store.find_runs(["a"], limit_per_id=2)
        assert found["a"] == [await store.read_run(2), await store.read_run(1)]

    async def test_find_runs_of_no_ids_repeated_ids_and_many_ids(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(*(new_run(key, f"wf-{key}") for key in range(1, 301)))

        assert await store.find_runs([]) == {}
        assert [run.run_key for run in (await store.find_runs(["wf-9"] * 3))["wf-9"]] == [9]
        names = [f"wf-{key}" for key in range(1, 601)]
        found = await store.find_runs(names)
        assert {name: runs[0].run_key for name, runs in found.items()} == {
            f"wf-{key}": key for key in range(1, 301)
        }

    async def test_the_run_that_a_request_started(self, store: Store) -> None:
        leader = await lead(store)
        await write_chain(leader, "a", [1, 2, 3])
        await leader.write(new_run(4, "b", start_request_id="request-2"))

        for request, key in (("request-2", 2), ("request-1", 1), ("request-3", 3)):
            run = await store.find_start("a", request)
            assert run is not None
            assert run.run_key == key
        other = await store.find_start("b", "request-2")
        assert other is not None
        assert other.run_key == 4
        assert await store.find_start("a", "request") is None
        assert await store.find_start("missing", "request-2") is None

    async def test_an_empty_request_id_names_no_request(self, store: Store) -> None:
        leader = await lead(store)
        await leader.write(new_run(1, "a", start_request_id=""))
        assert await store.find_start("a", "") is None

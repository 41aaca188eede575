"""Starting runs: request ids, taken ids, waiting for the result."""

from __future__ import annotations

import asyncio

import pytest

from sched_sdk.api.v1 import common_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as pb
from sched_server.errors import Rejection

from .harness import complete, running, until

FAIL = pb.ID_CONFLICT_POLICY_FAIL
USE_EXISTING = pb.ID_CONFLICT_POLICY_USE_EXISTING
TERMINATE_EXISTING = pb.ID_CONFLICT_POLICY_TERMINATE_EXISTING


async def test_a_start_is_durable_when_it_returns() -> None:
    async with running() as engine:
        started = await engine.start("wf", task_queue="orders")

        row = await engine.store.find_run_by_id(started.run_id)
        assert started.started
        assert started.workflow_id == "wf"
        assert row is not None
        assert (row.workflow_type, row.task_queue, row.status) == ("Order", "orders", 1)


async def test_an_id_is_made_when_none_is_given() -> None:
    async with running() as engine:
        first, second = await engine.start(""), await engine.start("")

        assert first.workflow_id.startswith("wf-")
        assert first.workflow_id != second.workflow_id


async def test_one_request_starts_once() -> None:
    async with running() as engine:
        first = await engine.start(request_id="r")
        again = await engine.start(request_id="r")

        assert (again.run_id, again.started) == (first.run_id, False)


async def test_one_request_sent_twice_at_once_starts_once() -> None:
    async with running() as engine:
        replies = await asyncio.gather(*[engine.start(request_id="r") for _ in range(5)])

        assert len({reply.run_id for reply in replies}) == 1
        assert [reply.started for reply in replies].count(True) == 1


async def test_a_request_is_recognised_after_its_run_has_ended() -> None:
    async with running() as engine:
        first = await engine.start(request_id="r")
        await engine.terminate()

        again = await engine.start(request_id="r")

        assert (again.run_id, again.started) == (first.run_id, False)


@pytest.mark.parametrize("policy", [FAIL, USE_EXISTING, TERMINATE_EXISTING])
async def test_a_request_is_recognised_though_a_later_run_has_its_id(policy: int) -> None:
    async with running() as engine:
        first = await engine.start(request_id="r-1")
        await engine.terminate()
        later = await engine.start(request_id="r-2")

        again = await engine.start(request_id="r-1", id_conflict=policy)

        assert (again.run_id, again.started) == (first.run_id, False)
        assert (await engine.result(wait_ms=0)).run_id == later.run_id
        assert (await engine.result(wait_ms=0)).status == common_pb2.WORKFLOW_STATUS_RUNNING


async def test_a_taken_id_is_refused_and_the_message_says_what_to_do() -> None:
    async with running() as engine:
        first = await engine.start()

        with pytest.raises(Rejection) as caught:
            await engine.start()

        assert caught.value.reason == "WORKFLOW_ALREADY_STARTED"
        assert first.run_id in caught.value.message
        assert "id_conflict" in caught.value.message


async def test_use_existing_gives_the_open_run() -> None:
    async with running() as engine:
        first = await engine.start()

        again = await engine.start(id_conflict=USE_EXISTING)

        assert (again.run_id, again.started) == (first.run_id, False)


async def test_terminate_existing_ends_the_open_run_and_starts_another() -> None:
    async with running() as engine:
        first = await engine.start()

        second = await engine.start(id_conflict=TERMINATE_EXISTING, identity="cli")

        assert second.started
        assert second.run_id != first.run_id
        old = await engine.result(run_id=first.run_id)
        assert old.status == common_pb2.WORKFLOW_STATUS_TERMINATED
        assert old.failure.message == (
            "terminated by cli: replaced by a new run under the same workflow id"
        )
        assert (await engine.describe()).info.run_id == second.run_id


async def test_replacing_twice_in_one_commit_leaves_one_open_run() -> None:
    async with running() as engine:
        await engine.start()
        engine.store.gate = asyncio.Event()
        blocker = asyncio.ensure_future(engine.start("other"))
        await until(lambda: engine.store.waiting == 1)
        starts = [
            asyncio.ensure_future(
                engine.start(id_conflict=TERMINATE_EXISTING, request_id=f"r-{number}")
            )
            for number in range(3)
        ]
        await engine.quiet_reads()
        engine.store.gate.set()
        await blocker

        runs = [(await start).run_id for start in starts]

        assert len(set(runs)) == 3
        statuses = [(await engine.result(run_id=run, wait_ms=0)).status for run in runs]
        assert statuses.count(common_pb2.WORKFLOW_STATUS_RUNNING) == 1


async def test_the_id_of_an_ended_run_is_free() -> None:
    async with running() as engine:
        first = await engine.start()
        await engine.terminate()

        second = await engine.start()

        assert second.started
        assert second.run_id != first.run_id


async def test_start_and_wait_is_one_call() -> None:
    async with running() as engine:
        worker = engine.worker()
        start = asyncio.ensure_future(engine.start(wait_ms=5_000))
        await worker.answer(await worker.task(), complete(b"42"))

        reply = await start

        assert reply.started
        assert reply.outcome.status == common_pb2.WORKFLOW_STATUS_COMPLETED
        assert reply.outcome.result.data == b"42"


async def test_start_and_wait_says_when_the_time_is_over() -> None:
    async with running() as engine:
        reply = await engine.start(wait_ms=1)

        assert reply.started
        assert not reply.HasField("outcome")


async def test_a_delayed_start_gives_its_task_out_later() -> None:
    async with running() as engine:
        worker = engine.worker()
        started = await engine.start(start_delay_us=60_000)
        before = (await engine.describe()).info.start_time_us

        task = await worker.task()

        assert task.run_id == started.run_id
        assert engine.group.clock.now_us() - before >= 60_000


async def test_the_execution_timeout_ends_a_run_that_nobody_works_on() -> None:
    async with running() as engine:
        await engine.start(execution_timeout_us=30_000)

        outcome = await engine.result()

        assert outcome.status == common_pb2.WORKFLOW_STATUS_TIMED_OUT
        assert outcome.failure.type == "execution"


async def test_a_race_for_one_id_has_one_winner() -> None:
    async with running() as engine:
        replies = await asyncio.gather(
            *[engine.start(request_id=f"r-{number}") for number in range(8)],
            return_exceptions=True,
        )

        refused = [reply for reply in replies if isinstance(reply, Rejection)]
        assert len(refused) == 7
        assert {rejection.reason for rejection in refused} == {"WORKFLOW_ALREADY_STARTED"}

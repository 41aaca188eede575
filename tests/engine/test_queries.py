"""Queries: whom the engine asks, when, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from sched_server import queries
from sched_server.core.decision import Rejection
from sched_server.errors import Unavailable
from sched_server.query_errors import QueryRejection
from sched_server.settings import ApiLimits
from tests.engine.harness import (
    BOOM,
    RESULT,
    Engines,
    LocalEngine,
    LocalWorker,
    running,
    until,
    within,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ANSWER = common_pb2.Payload(encoding="json", data=b"42")


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("CATCH_UP_S", 0.3), ("_LEAST_PATIENCE_S", 0.05)):
        monkeypatch.setattr(queries, name, seconds)
    monkeypatch.setattr(queries, "WORKER_WAIT_S", 0.05)
    monkeypatch.setattr(queries, "SETTLING_S", 0.0)


@pytest.fixture
async def local() -> AsyncIterator[LocalEngine]:
    async with running() as local:
        yield local
        await until(lambda: nothing_is_left(local))


def nothing_is_left(local: LocalEngine) -> bool:
    sessions = local.engine.workers.sessions.values()
    return local.engine.queries.open == 0 and not any(s.questions for s in sessions)


def asking(local: LocalEngine, **fields: Any) -> asyncio.Future[Any]:
    return asyncio.ensure_future(local.query(**fields))


async def idle(local: LocalEngine) -> LocalWorker:
    """A worker that has the run `wf` cached, with nothing left to do."""
    worker = local.worker()
    await local.start()
    await worker.answer(await worker.task())
    return worker


async def next_asked(*workers: LocalWorker) -> tuple[LocalWorker, pb.QueryTask]:
    """Whoever is asked next, and what."""
    await until(lambda: not all(worker.queries.empty() for worker in workers))
    worker = next(worker for worker in workers if not worker.queries.empty())
    return worker, await worker.query()


def ids_of(query: pb.QueryTask) -> list[int]:
    return [history_pb2.HistoryEvent.FromString(event).event_id for event in query.events]


async def test_the_worker_that_has_the_run_cached_is_asked(local: LocalEngine) -> None:
    worker = await idle(local)
    local.worker("other")
    asked = asking(local)
    query = await worker.query()
    assert (query.name, query.base, query.full_history) == ("state", 2, False)
    assert not query.events
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_not_cached_any_more(local: LocalEngine) -> None:
    worker = await idle(local)
    asked = asking(local)
    worker.tell(await worker.query(), not_cached=True)
    query = await worker.query()
    assert query.full_history
    assert (ids_of(query), query.last_event_id) == ([1, 2], 2)
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_a_closed_run(local: LocalEngine) -> None:
    worker = local.worker()
    await local.start()
    await worker.close(await worker.task())
    asked = asking(local)
    query = await worker.query()
    assert query.full_history
    assert ids_of(query) == [1, 2, 3]
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_a_history_of_several_pages(
    local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE_EVENTS", 2)
    worker = local.worker()
    await local.start()
    await worker.close(await worker.task())
    asked = asking(local)
    query = await worker.query()
    assert (ids_of(query), query.more_pages, query.last_event_id) == ([1, 2], True, 3)
    worker.tell(query, result=ANSWER)
    await asked


async def test_the_holder_of_the_task_is_told_what_it_must_have_seen(local: LocalEngine) -> None:
    worker = await idle(local)
    await local.signal()
    task = await worker.task()
    asked = asking(local)
    query = await worker.query()
    assert (query.last_event_id, query.base, query.full_history) == (3, 2, False)
    # It answers once its segment is acknowledged.
    await worker.answer(task)
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_a_task_that_waits_for_a_free_worker_is_waited_for(local: LocalEngine) -> None:
    worker = local.worker(workflow_task_slots=1)
    await local.start("busy")
    blocking = await worker.task()
    await local.start()
    asked = asking(local)
    assert worker.queries.empty()
    await worker.answer(blocking)
    task = await worker.task()
    assert task.workflow_id == "wf"
    query = await worker.query()
    assert (query.full_history, query.last_event_id) == (False, 1)
    await worker.answer(task)
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_a_task_that_is_not_taken_is_not_waited_for_for_ever(local: LocalEngine) -> None:
    worker = local.worker(workflow_task_slots=1)
    await local.start("busy")
    await worker.task()
    await local.start()
    asked = asking(local)
    query = await worker.query()
    # The throw-away instance is handed what the code has not seen.
    assert (query.full_history, ids_of(query), query.last_event_id) == (True, [1], 1)
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_a_holder_that_does_not_come_to_answer(local: LocalEngine) -> None:
    holder, other = await idle(local), local.worker("other")
    await local.signal()
    await holder.task()
    asked = asking(local)
    late = await holder.query()
    worker, query = await next_asked(holder, other)
    assert (query.full_history, query.last_event_id) == (True, 3)
    holder.tell(late, result=RESULT)  # too late, and of no interest
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_only_committed_state_is_asked_for(local: LocalEngine) -> None:
    worker = await idle(local)
    local.store.gate = asyncio.Event()
    signal = asyncio.ensure_future(local.signal())
    await until(lambda: local.store.waiting == 1)
    asked = asking(local)
    await local.quiet_reads()
    assert worker.queries.empty()
    local.store.gate.set()
    await signal
    task = await worker.task()
    query = await worker.query()
    assert query.last_event_id == 3
    await worker.answer(task)
    worker.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_a_worker_that_is_lost_in_the_middle(local: LocalEngine) -> None:
    worker, other = await idle(local), local.worker("other")
    asked = asking(local)
    await worker.query()
    worker.disconnect()
    query = await other.query()
    assert query.full_history
    other.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_a_draining_worker_is_not_asked(local: LocalEngine) -> None:
    worker, other = await idle(local), local.worker("other")
    worker.send(pb.WorkerFrame(drain=True))
    asked = asking(local)
    other.tell(await other.query(), result=ANSWER)
    assert await asked == ANSWER
    assert worker.queries.empty()


async def test_one_that_refuses_is_not_asked_again(local: LocalEngine) -> None:
    workers = (await idle(local), local.worker("other"))
    run_id = (await local.describe()).info.run_id
    workers[0].send(pb.WorkerFrame(evicted_run_ids=[run_id]))
    asked = asking(local)
    refusing, query = await next_asked(*workers)
    refusing.tell(query, not_cached=True)
    answering, query = await next_asked(*workers)
    assert answering is not refusing
    answering.tell(query, result=ANSWER)
    assert await asked == ANSWER


async def test_what_handlers_say_comes_out(local: LocalEngine) -> None:
    worker = await idle(local)
    asked = asking(local)
    worker.tell(await worker.query(), failure=BOOM)
    with pytest.raises(QueryRejection, match="'state' failed: ValueError: boom") as failed:
        await asked
    assert (failed.value.reason, failed.value.failure) == ("QUERY_FAILED", BOOM)
    asked = asking(local)
    worker.tell(await worker.query(), unknown=pb.UnknownQuery(known=["a", "b"]))
    with pytest.raises(QueryRejection, match="it has a, b") as unknown:
        await asked
    assert (unknown.value.reason, unknown.value.known) == ("QUERY_NOT_FOUND", ("a", "b"))


async def test_code_that_cannot_be_replayed_by_anybody(local: LocalEngine) -> None:
    worker = local.worker()
    await local.start()
    await worker.close(await worker.task())
    workers = (worker, local.worker("other"))
    asked = asking(local)
    for _ in workers:
        each, query = await next_asked(*workers)
        each.tell(query, replay_failure=BOOM)
    with pytest.raises(QueryRejection, match="does not get past its history") as refused:
        await asked
    assert refused.value.reason == "NO_WORKER"


async def test_a_task_that_fails_is_the_answer(local: LocalEngine) -> None:
    worker = local.worker()
    await local.start()
    task = await worker.task()
    failure = pb.WorkflowTaskFailure(
        run_id=task.run_id,
        dispatch=task.dispatch,
        cause=history_pb2.WORKFLOW_TASK_FAILURE_CAUSE_NON_DETERMINISM,
        failure=BOOM,
    )
    worker.send(pb.WorkerFrame(task_failures=[failure]))
    await within(worker.failure_acks.get())
    with pytest.raises(
        QueryRejection, match="history, so it cannot answer: ValueError: boom"
    ) as refused:
        await local.query()
    assert refused.value.reason == "NO_WORKER"


@pytest.mark.parametrize(
    ("types", "words"), [([], "no worker is connected"), (["Other"], "none of them has")]
)
async def test_nobody_could_answer(local: LocalEngine, types: list[str], words: str) -> None:
    await local.start()
    if types:
        local.worker(workflow_types=types)
    with pytest.raises(QueryRejection, match=words) as refused:
        await local.query()
    assert refused.value.reason == "NO_WORKER"


async def test_a_description_tells_a_queue_without_workers_from_one_without_the_type(
    local: LocalEngine,
) -> None:
    await local.start()
    task = (await local.describe()).workflow_task
    assert (task.queue_has_workers, task.has_worker) == (False, False)
    local.worker(workflow_types=["Other"])
    task = (await local.describe()).workflow_task
    assert (task.queue_has_workers, task.has_worker) == (True, False)


async def test_a_run_that_starts_later(local: LocalEngine) -> None:
    await local.start(start_delay_us=3_600_000_000)
    local.worker()
    with pytest.raises(QueryRejection, match="starts later"):
        await local.query()


async def test_no_such_workflow(local: LocalEngine) -> None:
    with pytest.raises(Rejection, match="no workflow 'nobody'"):
        await local.query("nobody")
    with pytest.raises(Rejection, match="the query name is empty"):
        await local.query(name="")


async def test_an_abandoned_call_leaves_nothing_behind(local: LocalEngine) -> None:
    worker = await idle(local)
    asked = asking(local)
    query = await worker.query()
    asked.cancel()
    await until(lambda: nothing_is_left(local))
    worker.tell(query, result=ANSWER)  # of no interest to anybody
    worker.tell(query, not_cached=True)


async def test_a_worker_that_never_answers(
    local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "ANSWER_S", 0.1)
    worker = await idle(local)
    asked = asking(local)
    await worker.query()
    with pytest.raises(QueryRejection, match=r"no worker answered the query 'state' within 0.1 s"):
        await asked


async def test_open_queries_are_bounded() -> None:
    async with running(api_limits=ApiLimits(open_queries=1)) as local:
        worker = await idle(local)
        asked = asking(local)
        query = await worker.query()
        with pytest.raises(Rejection, match="which is the limit"):
            await local.query()
        worker.tell(query, result=ANSWER)
        assert await asked == ANSWER


async def test_an_answer_over_the_limit() -> None:
    async with running(api_limits=ApiLimits(payload_bytes=10)) as local:
        worker = await idle(local)
        asked = asking(local)
        huge = common_pb2.Payload(data=b"x" * 11)
        worker.tell(await worker.query(), result=huge)
        with pytest.raises(QueryRejection, match="11 bytes, the limit is 10"):
            await asked


async def test_the_end_of_a_term_ends_the_questions() -> None:
    async with running() as local:
        worker = await idle(local)
        asked = asking(local)
        await worker.query()
        await local.engine.abandon()
        with pytest.raises(Unavailable):
            await asked
        local.alive = False
        await local.store.close()


async def test_after_a_restart_any_worker_is_asked_with_the_history(tmp_path: Path) -> None:
    engines = Engines(tmp_path / "sched.db")
    async with engines.running() as local:
        await idle(local)
    async with engines.running() as local:
        asked = asking(local)
        worker = local.worker()
        query = await worker.query()
        assert (query.full_history, ids_of(query)) == (True, [1, 2])
        worker.tell(query, result=ANSWER)
        assert await asked == ANSWER

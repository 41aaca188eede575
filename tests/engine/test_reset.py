"""Reset and fork through the engine's calls, with failures in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sched_sdk.api.v1 import common_pb2, history_pb2
from sched_sdk.api.v1 import workflow_service_pb2 as client_pb
from sched_server import copying
from sched_server.errors import Rejection, Unavailable

from .harness import Engines, LocalEngine, running, schedule, unavailable, within

REQUEST = client_pb.ResetWorkflowRequest
TERMINATED = common_pb2.WORKFLOW_STATUS_TERMINATED


async def reset(engine: LocalEngine, **fields: Any) -> client_pb.ResetWorkflowResponse:
    given: dict[str, Any] = {"workflow_id": "wf"}
    return await engine.call("reset_workflow", REQUEST(**given | fields))


async def events(
    engine: LocalEngine, workflow_id: str = "wf", run_id: str = ""
) -> list[history_pb2.HistoryEvent]:
    row = await engine.engine.row(workflow_id, run_id)
    rows = await engine.store.read_history(
        row.run_key, after_event_id=0, limit=1_000, max_bytes=1 << 20
    )
    return [history_pb2.HistoryEvent.FromString(row.data) for row in rows]


async def one_activity_then_signals(engine: LocalEngine) -> str:
    """1 started, 2-3 a segment, 4 completed, 5-6 signals; returns the run id."""
    worker = engine.worker()
    run_id = (await engine.start()).run_id
    await worker.answer(await worker.task(), schedule(1))
    await worker.finish(await worker.activity())
    await engine.signal(request_id="s1")
    await engine.signal(request_id="s2")
    worker.disconnect()
    await engine.quiet()
    return run_id


async def test_a_reset_ends_the_run_and_goes_on_from_the_point() -> None:
    async with running() as engine:
        old = await one_activity_then_signals(engine)

        done = await reset(engine, event_id=3, reason="try again", identity="ann")

        assert (done.workflow_id, done.event_id, done.signals) == ("wf", 3, 2)
        outcome = await engine.result(run_id=old)
        assert outcome.status == TERMINATED
        assert outcome.new_run_id == done.run_id
        assert outcome.failure.message == "terminated by ann: reset to event 3: try again"
        assert await engine.history() == [
            "WorkflowStarted",
            "WorkflowTaskCompleted",
            "ActivityScheduled",
            "SignalReceived",
            "SignalReceived",
        ]
        description = await engine.describe()
        assert description.origin.run_id == old
        assert description.origin.event_id == 3
        assert [activity.name for activity in description.activities] == ["send"]
        assert (await engine.describe(run_id=old)).new_run_id == done.run_id


async def test_the_copy_is_worked_on_like_any_run() -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)
        worker = engine.worker()
        await worker.task()
        done = await reset(engine, event_id=3)

        task = await worker.task()
        again = await worker.activity()

        assert task.run_id == again.run_id == done.run_id
        assert task.full_history
        assert task.base == 2
        await worker.finish(again)
        ack = await worker.close(task)
        assert ack.outcome == ack.OUTCOME_ACCEPTED
        assert (await engine.history())[-1] == "WorkflowCompleted"


async def test_seed_and_time_of_the_start_stay() -> None:
    async with running() as engine:
        old = await one_activity_then_signals(engine)
        before = (await events(engine, run_id=old))[0]
        done = await reset(engine, event_id=3)
        after = (await events(engine, run_id=done.run_id))[0]

        assert after.time_us == before.time_us
        assert after.workflow_started.seed == before.workflow_started.seed
        assert after.workflow_started.previous_run_id == old
        info = (await engine.describe()).info
        assert info.start_time_us == after.workflow_started.origin.time_us > before.time_us


async def test_the_same_request_again_finds_what_it_began() -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)

        first = await reset(engine, event_id=3, request_id="r")
        second = await reset(engine, event_id=3, request_id="r")

        assert second == first
        assert len(await events(engine)) == 5


async def test_a_request_id_that_started_something_else_is_refused() -> None:
    async with running() as engine:
        await engine.start(request_id="mine")

        with pytest.raises(Rejection, match="has started workflow 'wf'; use another one"):
            await reset(engine, event_id=1, request_id="mine")


async def test_signals_keep_their_request_ids() -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)
        await reset(engine, event_id=3)

        await engine.signal(request_id="s2")

        assert (await engine.history()).count("SignalReceived") == 2


async def test_signals_can_be_left_behind() -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)

        done = await reset(engine, event_id=5, drop_signals=True)

        assert (done.event_id, done.signals) == (5, 0)
        assert (await engine.history()).count("SignalReceived") == 1, "what is kept is kept"


@pytest.mark.parametrize(
    ("point", "kept"),
    [(REQUEST.POINT_FIRST_WORKFLOW_TASK, 1), (REQUEST.POINT_LAST_WORKFLOW_TASK, 1)],
)
async def test_points_with_a_name(point: Any, kept: int) -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)

        assert (await reset(engine, point=point)).event_id == kept


async def test_a_closed_run_is_taken_up_again() -> None:
    async with running() as engine:
        old = await one_activity_then_signals(engine)
        await engine.terminate(reason="a mistake")

        done = await reset(engine, event_id=7)

        assert (done.event_id, done.signals) == (6, 0)
        assert (await engine.result(run_id=old)).new_run_id == "", "it had ended by itself"
        assert (await engine.describe()).info.run_id == done.run_id


async def test_an_older_run_is_not_reset_beside_a_running_one() -> None:
    async with running() as engine:
        old = await one_activity_then_signals(engine)
        await engine.terminate()
        await engine.start()

        with pytest.raises(Rejection, match=r"is running .* reset that run, or fork") as caught:
            await reset(engine, event_id=3, run_id=old)
        assert caught.value.reason == "WORKFLOW_ALREADY_STARTED"


async def test_a_fork_leaves_the_source_alone() -> None:
    async with running() as engine:
        old = await one_activity_then_signals(engine)

        done = await reset(engine, event_id=4, fork=True, new_workflow_id="other")

        assert done.workflow_id == "other"
        assert (await engine.describe()).info.run_id == old
        assert (await engine.describe()).info.status == common_pb2.WORKFLOW_STATUS_RUNNING
        started = (await events(engine, "other"))[0].workflow_started
        assert started.workflow_id == "other"
        assert (started.origin.workflow_id, started.previous_run_id) == ("wf", "")
        assert done.signals == 2


async def test_a_fork_without_an_id_gets_the_same_one_again() -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)

        first = await reset(engine, event_id=4, fork=True, request_id="r")
        second = await reset(engine, event_id=4, fork=True, request_id="r")

        assert first.workflow_id.startswith("wf-")
        assert first == second


async def test_a_fork_cannot_take_the_id_of_its_source() -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)

        with pytest.raises(Rejection, match="workflow 'wf' is running"):
            await reset(engine, event_id=4, fork=True, new_workflow_id="wf")


async def test_a_fork_needs_a_free_id() -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)
        await engine.start("other")

        with pytest.raises(Rejection, match="workflow 'other' is running"):
            await reset(engine, event_id=4, fork=True, new_workflow_id="other")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "the point to go back to is missing"),
        ({"event_id": 99}, "event 99 is not in the history, which has events 1 to 6"),
        ({"event_id": -1}, "event -1 is not in the history"),
        ({"event_id": 0}, "event 0 is not in the history"),
        ({"event_id": 3, "new_workflow_id": "x"}, "a reset keeps the workflow id"),
        ({"event_id": 3, "workflow_id": "none"}, "no workflow 'none'"),
        ({"event_id": 3, "run_id": "none"}, "no workflow 'wf' with run id 'none'"),
        ({"point": 9}, "the point to go back to is missing"),
    ],
)
async def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    async with running() as engine:
        await one_activity_then_signals(engine)

        with pytest.raises(Rejection, match=message):
            await reset(engine, **fields)
        assert len(await engine.history()) == 6


async def test_a_failed_commit_changes_neither_run() -> None:
    async with running() as engine:
        old = await one_activity_then_signals(engine)
        engine.store.faults.append(unavailable)

        with pytest.raises(Unavailable):
            await reset(engine, event_id=3, request_id="r")
        assert (await engine.describe()).info.run_id == old
        assert (await engine.describe()).info.status == common_pb2.WORKFLOW_STATUS_RUNNING

        done = await reset(engine, event_id=3, request_id="r")
        assert (await engine.describe()).info.run_id == done.run_id


async def test_a_signal_in_the_same_moment_is_in_one_of_the_runs() -> None:
    """Signals come while the reset waits for its commit and before it."""
    async with running() as engine:
        old = await one_activity_then_signals(engine)
        engine.store.gate = asyncio.Event()
        signals = [asyncio.ensure_future(engine.signal(request_id=f"late-{n}")) for n in range(3)]
        await engine.quiet_reads()
        resetting = asyncio.ensure_future(reset(engine, event_id=3))
        await engine.quiet_reads()
        more = [asyncio.ensure_future(engine.signal(request_id=f"later-{n}")) for n in range(3)]
        await engine.quiet_reads()
        engine.store.gate.set()
        done = await within(resetting)

        accepted = await within(asyncio.gather(*signals, *more))

        new = [e.signal_received for e in await events(engine) if e.HasField("signal_received")]
        ids = [signal.request_id for signal in new]
        assert len(ids) == len(set(ids)) == 8, "s1, s2 and the six"
        assert {reply.run_id for reply in accepted} <= {old, done.run_id}


async def test_the_copy_is_there_after_a_restart(tmp_path: Any) -> None:
    engines = Engines(tmp_path / "dev.db")
    async with engines.running() as engine:
        await one_activity_then_signals(engine)
        done = await reset(engine, event_id=3)
        await engine.kill()
    async with engines.running() as engine:
        worker = engine.worker()

        task = await worker.task()
        again = await worker.activity()

        assert task.run_id == again.run_id == done.run_id
        assert task.base == 2
        assert (await engine.describe()).origin.event_id == 3


async def test_the_worker_of_the_old_run_is_told_to_stop() -> None:
    async with running() as engine:
        worker = engine.worker()
        await engine.start()
        await worker.answer(await worker.task(), schedule(1))
        first = await worker.activity()

        done = await reset(engine, event_id=3)

        assert await within(worker.lost.get()) == first.dispatch
        assert (await worker.activity()).run_id == done.run_id


async def test_a_reset_while_a_commit_of_its_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is read again then; it must not be taken for another one."""
    async with running() as engine:
        await engine.start()
        read_on, reads = copying._read_on, 0

        async def read_and_fail(*arguments: Any) -> None:
            nonlocal reads
            reads += 1
            await read_on(*arguments)
            if reads == 1:
                engine.store.faults.append(unavailable)
                with pytest.raises(Unavailable):
                    await engine.signal()

        monkeypatch.setattr(copying, "_read_on", read_and_fail)
        done = await reset(engine, event_id=1)

        assert done.run_id
        assert reads > 1

"""Runs that go on with the code that fits them, while other code serves the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk.api.v1 import history_pb2
from sched_sdk.api.v1 import worker_service_pb2 as pb
from tests.engine.harness import BOOM, Engines, ScriptedWorker, running, schedule, until, within

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.harness import LocalEngine, LocalWorker


def parted(task: pb.WorkflowTask) -> pb.WorkerFrame:
    """The code does something else than the history says."""
    cause = history_pb2.WORKFLOW_TASK_FAILURE_CAUSE_NON_DETERMINISM
    failure = pb.WorkflowTaskFailure(
        run_id=task.run_id, dispatch=task.dispatch, base=task.base, cause=cause, failure=BOOM
    )
    return pb.WorkerFrame(task_failures=[failure])


def keep(*run_ids: str, only: bool = False, number: int = 1) -> pb.KeepRuns:
    return pb.KeepRuns(number=number, run_ids=run_ids, only=only)


def build(engine: LocalEngine, name: str, **hello: object) -> LocalWorker:
    """A worker whose code is the build `name`."""
    return engine.worker(name, build_id=name, **hello)


async def opened(engine: LocalEngine, worker: ScriptedWorker, workflow_id: str = "wf") -> str:
    """A run that the worker has begun, and waits for signals. Returns its run id."""
    await engine.start(workflow_id)
    task = await worker.task()
    await worker.answer(task)
    return task.run_id


def keeps(worker: LocalWorker, message: pb.KeepRuns) -> None:
    worker.send(pb.WorkerFrame(keep_runs=message))


# ---------------------------------------------------------------- pinned


async def test_a_run_that_new_code_breaks_goes_on_at_the_last_good_build() -> None:
    async with running() as engine:
        old = build(engine, "old")
        await opened(engine, old)
        new = build(engine, "new")
        old.session.hello.workflow_task_slots = 0  # so that the new one gets it
        await engine.signal()
        task = await new.task()
        old.session.hello.workflow_task_slots = 10

        new.send(parted(task))

        task = await old.task()
        assert (task.attempt, task.full_history) == (2, True)
        await old.answer(task)
        names = await engine.history()
        assert names[-2:] == ["WorkflowTaskFailed", "WorkflowTaskCompleted"]


async def test_it_stays_there_however_busy_that_worker_is() -> None:
    async with running() as engine:
        old = build(engine, "old", workflow_task_slots=1)
        await opened(engine, old)
        await engine.start("other")
        other = await old.task()
        new = build(engine, "new")
        await engine.signal()
        new.send(parted(await new.task()))
        await until(lambda: bool(old.session.parked))

        await old.close(other)

        assert (await old.task()).attempt == 2
        assert new.tasks.empty()


async def test_a_parked_task_goes_to_anybody_when_its_worker_leaves() -> None:
    async with running() as engine:
        old = build(engine, "old", workflow_task_slots=1)
        await opened(engine, old)
        await engine.start("other")
        await old.task()
        new = build(engine, "new")
        await engine.signal()
        new.send(parted(await new.task()))
        await until(lambda: bool(old.session.parked))

        old.disconnect()

        runs = {(await new.task()).workflow_id, (await new.task()).workflow_id}
        assert runs == {"wf", "other"}


async def test_code_that_parts_from_its_own_history_waits_as_ever() -> None:
    """The last good build fails too: whoever comes next may try, after a while."""
    async with running() as engine:
        old = build(engine, "old")
        await opened(engine, old)
        await engine.signal()
        old.send(parted(await old.task()))
        await within(old.failure_acks.get())
        pending = (await engine.describe()).workflow_task
        assert pending.state == pending.STATE_BACKOFF

        mended = build(engine, "mended")
        old.session.hello.workflow_task_slots = 0

        await mended.close(await mended.task())


async def test_the_pin_outlives_the_engine(tmp_path: Path) -> None:
    engines = Engines(tmp_path / "pin.db")
    async with engines.running() as engine:
        old = build(engine, "old")
        await opened(engine, old)
        new = build(engine, "new")
        old.session.hello.workflow_task_slots = 0
        await engine.signal()
        new.send(parted(await new.task()))
        await within(new.failure_acks.get())
        await engine.kill()
    async with engines.running() as engine:
        new, old = build(engine, "new"), build(engine, "old")
        assert (await old.task()).attempt == 2
        assert new.tasks.empty()


# ---------------------------------------------------------------- kept


async def test_a_kept_run_goes_to_its_keeper_and_the_others_to_the_new_code() -> None:
    async with running() as engine:
        old = build(engine, "old")
        kept, free = await opened(engine, old), await opened(engine, old, "free")
        keeps(old, keep(kept))
        new = build(engine, "new")
        keeps(old, keep(kept, only=True, number=2))
        await until(lambda: old.session.only_kept)

        for workflow_id in ("wf", "free"):
            await engine.signal(workflow_id)
        await engine.start("fresh")

        assert (await old.task()).run_id == kept
        tasks = [await new.task(), await new.task()]
        assert {task.workflow_id for task in tasks} == {"free", "fresh"}
        assert free in {task.run_id for task in tasks}
        assert next(task for task in tasks if task.run_id == free).full_history
        assert old.tasks.empty()


async def test_its_activities_go_to_its_keeper_too() -> None:
    async with running() as engine:
        old = build(engine, "old")
        kept = await opened(engine, old)
        keeps(old, keep(kept, only=True))
        new = build(engine, "new")
        await engine.signal()
        await old.answer(await old.task(), schedule(1))
        await old.finish(await old.activity())
        await engine.start("fresh")
        await new.answer(await new.task(), schedule(1))
        await new.finish(await new.activity())
        assert old.activities.empty()


async def test_activities_that_the_keeper_does_not_serve_go_to_others() -> None:
    async with running() as engine:
        old = build(engine, "old", activity_names=[])
        kept = await opened(engine, old)
        keeps(old, keep(kept, only=True))
        new = build(engine, "new")
        await engine.signal()
        await old.answer(await old.task(), schedule(1))
        await new.finish(await new.activity())
        assert (await old.task()).run_id == kept


async def test_a_busy_keeper_gets_its_activities_one_after_the_other() -> None:
    async with running() as engine:
        old = build(engine, "old", activity_slots=1)
        kept = await opened(engine, old)
        keeps(old, keep(kept, only=True))
        new = build(engine, "new")
        await engine.signal()
        await old.answer(await old.task(), schedule(1), schedule(2))
        for seq in (1, 2):
            activity = await old.activity()
            assert activity.seq == seq
            await old.finish(activity)
        assert new.activities.empty()


async def test_what_was_acknowledged_as_kept_is_kept() -> None:
    async with running() as engine:
        old = build(engine, "old")
        kept = await opened(engine, old)
        keeps(old, keep(kept, number=7))
        await until(lambda: old.kept_acks.qsize() == 1)
        assert await within(old.kept_acks.get()) == 7
        new = build(engine, "new")
        await engine.signal()
        assert (await old.task()).run_id == kept
        assert new.tasks.empty()


async def test_a_task_that_waits_already_goes_to_who_keeps_its_run() -> None:
    async with running() as engine:
        old = build(engine, "old", workflow_task_slots=1)
        kept = await opened(engine, old)
        await engine.start("other")
        other = await old.task()
        await engine.signal()  # waits in the queue: the only slot is taken
        keeps(old, keep(kept, only=True))
        await until(lambda: bool(old.session.parked))
        await old.close(other)
        assert (await old.task()).run_id == kept


async def test_when_the_keeper_goes_its_runs_go_to_anybody() -> None:
    async with running() as engine:
        old = build(engine, "old")
        kept = await opened(engine, old)
        keeps(old, keep(kept, only=True))
        new = build(engine, "new")
        await engine.signal()
        held = await old.task()

        old.disconnect()

        task = await new.task()
        assert (task.run_id, task.dispatch > held.dispatch) == (kept, True)


async def test_a_keeper_that_drains_or_lets_go_keeps_nothing() -> None:
    async with running() as engine:
        old = build(engine, "old")
        first, second = await opened(engine, old), await opened(engine, old, "second")
        keeps(old, keep(first, second, only=True))
        new = build(engine, "new")
        keeps(old, keep(second, only=True, number=2))
        await until(lambda: old.session.kept == {second})
        await engine.signal()
        assert (await new.task()).run_id == first
        old.send(pb.WorkerFrame(drain=True))
        await engine.signal("second")
        assert (await new.task()).run_id == second


async def test_a_worker_says_again_what_it_keeps_after_a_restart(tmp_path: Path) -> None:
    engines = Engines(tmp_path / "kept.db")
    async with engines.running() as engine:
        old = build(engine, "old")
        kept = await opened(engine, old)
        keeps(old, keep(kept, only=True))
        await until(lambda: old.session.only_kept)
        await engine.signal()
        await old.task()
        await engine.kill()
    async with engines.running() as engine:
        # The type has no other server: only the keeper can take what its rows say.
        old = build(engine, "old", keep_runs=keep(kept, only=True))
        assert (await old.task()).run_id == kept
        await engine.start("fresh")
        await engine.quiet()
        assert old.tasks.empty()
        new = build(engine, "new")
        assert (await new.task()).workflow_id == "fresh"


async def test_new_code_that_has_the_task_of_a_kept_run_gives_it_up() -> None:
    """It got the task before the keeper said so."""
    async with running() as engine:
        old = build(engine, "old")
        kept = await opened(engine, old)
        old.session.hello.workflow_task_slots = 0
        new = build(engine, "new")
        await engine.signal()
        task = await new.task()
        old.session.hello.workflow_task_slots = 10
        keeps(old, keep(kept))
        await until(lambda: bool(old.session.kept))
        new.send(parted(task))
        assert (await old.task()).run_id == kept


async def test_a_keeper_whose_own_code_parts_backs_off() -> None:
    async with running() as engine:
        old = build(engine, "old")
        kept = await opened(engine, old)
        keeps(old, keep(kept, only=True))
        await engine.signal()
        old.send(parted(await old.task()))
        await within(old.failure_acks.get())
        await engine.quiet()
        pending = (await engine.describe()).workflow_task
        assert pending.state == pending.STATE_BACKOFF
        assert pending.has_worker
        assert old.tasks.empty()


async def test_two_that_keep_the_same_run_do_not_both_get_its_task() -> None:
    async with running() as engine:
        old = build(engine, "old")
        kept = await opened(engine, old)
        other = build(engine, "other")
        keeps(old, keep(kept))
        keeps(other, keep(kept))
        await until(lambda: bool(other.session.kept))
        await engine.signal()
        task = await old.task()
        await engine.quiet()
        assert other.tasks.empty()
        await old.close(task)

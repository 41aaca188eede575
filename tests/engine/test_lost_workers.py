"""Workers that vanish: nobody inherits what they ran by having their name, and what
they still say is heard only while it counts."""

from __future__ import annotations

from pathlib import Path

from tests.engine.harness import (
    RESULT,
    Engines,
    LocalEngine,
    ScriptedWorker,
    claim,
    running,
    schedule,
    within,
)
from tests.engine.test_activities import heartbeat, running_activity


async def test_a_restarted_pod_with_the_same_identity_is_another_worker() -> None:
    """A container is often process 1 on a host of the same name again."""
    async with running(activity_grace_s=0.1) as engine:
        before = engine.worker("session-1", identity="1@pod-0")
        task = await running_activity(engine, before)
        after = engine.worker("session-2", identity="1@pod-0")
        await engine.quiet()
        assert after.activities.empty(), "its predecessor may still run it"

        before.disconnect()

        again = await after.activity()
        assert (again.seq, again.attempt, again.dispatch > task.dispatch) == (1, 1, True)
        await after.finish(again)
        assert (await engine.history()).count("ActivityCompleted") == 1


async def test_a_worker_that_vanished_together_with_the_engine(tmp_path: Path) -> None:
    """Of its session there is nothing left but its name in the rows of its tasks."""
    engines = Engines(tmp_path / "lost.db", activity_grace_s=0.1)
    async with engines.running() as engine:
        task = await running_activity(engine, engine.worker("gone", identity="1@pod-0"))
        await engine.kill()
    async with engines.running() as engine:
        restarted = engine.worker("new", identity="1@pod-0")
        again = await restarted.activity()
        assert again.dispatch > task.dispatch
        late = engine.worker("gone", identity="1@pod-0", running_activities=[claim(task)])
        assert await within(late.lost.get()) == task.dispatch, "its time is over"
        await restarted.finish(again)
        assert (await engine.history()).count("ActivityCompleted") == 1


async def finished(engine: LocalEngine, worker: ScriptedWorker):  # type: ignore[no-untyped-def]
    task = await running_activity(engine, worker, schedule(1, heartbeat_timeout_us=100_000))
    await worker.finish(task)
    return task


async def test_a_heartbeat_after_the_completion_changes_nothing() -> None:
    async with running() as engine:
        worker = engine.worker()
        task = await finished(engine, worker)
        before = await engine.history()

        for details in (b"", b"99"):
            worker.send(heartbeat(task, details))
        await engine.quiet()

        assert await engine.history() == before
        assert not (await engine.describe()).activities
        await worker.close(await worker.task())


async def test_a_heartbeat_after_the_end_of_the_run_changes_nothing(tmp_path: Path) -> None:
    engines = Engines(tmp_path / "late.db")
    async with engines.running() as engine:
        worker = engine.worker()
        task = await finished(engine, worker)
        await worker.close(await worker.task())
        before = await engine.history()
        worker.send(heartbeat(task, b"99"))
        await engine.quiet()
        assert await engine.history() == before
        await engine.kill()
    async with engines.running() as engine:
        worker = engine.worker()
        worker.send(heartbeat(task, b"99"))
        await engine.quiet()
        assert await engine.history() == before


async def test_a_completion_that_another_worker_made_first_stands() -> None:
    async with running(activity_grace_s=0.05) as engine:
        slow = engine.worker("slow")
        task = await running_activity(engine, slow)
        quick = engine.worker("quick")
        slow.disconnect()
        await quick.finish(await quick.activity())
        before = await engine.history()

        back = engine.worker("slow", running_activities=[claim(task)])
        back.send(heartbeat(task, b"1"))
        back.report(task, result=RESULT)

        assert await within(back.lost.get()) == task.dispatch
        await engine.quiet()
        assert await engine.history() == before

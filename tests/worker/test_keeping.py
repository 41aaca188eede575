"""A worker that keeps runs while another one, with other code, takes the rest."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sched_sdk import Client, Worker, WorkflowContext, workflow
from sched_server import EngineServer, EngineSettings
from tests.worker.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any


def code(word: str) -> Callable[..., Any]:
    @workflow(name="Waits")
    async def waits(ctx: WorkflowContext) -> str:
        await ctx.wait_for_signal("go")
        return word

    return waits


def worker(client: Client | str, word: str) -> Worker:
    return Worker(client, workflows=[code(word)], build_id=word)


async def result_of(client: Client, workflow_id: str) -> object:
    handle = client.workflow(workflow_id)
    await handle.signal("go")
    return await handle.result(timeout=60)


async def begin(client: Client, *workflow_ids: str) -> list[str]:
    """Start them, and wait until their code has begun. Returns the run ids."""
    handles = [await client.start_workflow("Waits", id=i) for i in workflow_ids]
    async with asyncio.timeout(10):
        for handle in handles:
            while not (await handle.describe()).info.build_id:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)
    return [handle.run_id or "" for handle in handles]


async def test_kept_runs_end_on_the_code_that_keeps_them(client: Client) -> None:
    async with worker(client, "old") as old:
        run_id, _ = await begin(client, "kept", "free")
        await old.keep_runs([run_id])
        async with worker(client, "new"):
            await old.keep_runs([run_id], only=True)
            assert await result_of(client, "free") == "new"
            assert await result_of(client, "kept") == "old"


async def test_what_it_keeps_it_says_again_to_the_next_engine(tmp_path: Path) -> None:
    settings = EngineSettings(db=tmp_path / "kept.db", port=0)
    engine = EngineServer(settings)
    await engine.start()
    port = int(engine.address.rpartition(":")[2])
    async with (
        await Client.connect(engine.address) as client,
        worker(engine.address, "old") as old,
        worker(engine.address, "new"),
    ):
        run_id, _ = await begin(client, "kept", "free")
        await old.keep_runs([run_id], only=True)
        await engine.stop(0)
        await until(lambda: not old.connected)
        engine = EngineServer(EngineSettings(db=tmp_path / "kept.db", port=port))
        await engine.start()
        try:
            await until(lambda: old.connected)
            assert await result_of(client, "kept") == "old"
            assert await result_of(client, "free") == "new"
        finally:
            await engine.stop(0)

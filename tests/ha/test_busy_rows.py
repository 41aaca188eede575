"""Rows that another session holds locked: what has to be written waits, and is not forgotten."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg

from sched_sdk import Client, Worker, WorkflowContext, workflow
from sched_server import EngineServer, EngineSettings
from tests.ha.cluster import PATIENCE_S
from tests.servers.fixtures import new_database

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

HELD_S = 0.6


@workflow
async def wakes_up(ctx: WorkflowContext) -> str:
    await ctx.sleep(HELD_S / 2)
    return str((await ctx.wait_for_signal("go")).payload)


async def test_no_wake_up_is_lost_because_a_row_was_busy(ha_postgres: PostgresServer) -> None:
    """A timer comes due and a signal arrives while somebody else has the run's row."""
    with new_database(ha_postgres.dsn) as dsn:
        server = EngineServer(EngineSettings(postgres_dsn=dsn, migrate=True, port=0))
        await server.start()
        try:
            async with (
                await Client.connect(server.address, timeout=PATIENCE_S) as client,
                Worker(client, workflows=[wakes_up]),
                asyncio.timeout(PATIENCE_S),
            ):
                handle = await client.start_workflow(wakes_up)
                async for event in handle.history(follow=True):
                    if event.type == "TimerScheduled":
                        break
                async with await psycopg.AsyncConnection.connect(dsn) as other:
                    await other.execute("SELECT FROM sched.run_counters FOR UPDATE")
                    signalled = asyncio.create_task(handle.signal("go", "awake"))
                    done, _ = await asyncio.wait([signalled], timeout=HELD_S)
                    assert not done, "its row is not free"
                await signalled
                assert await handle.result() == "awake"
        finally:
            await server.stop(0)

"""The browser on a real engine: what keys do there, and what happens without one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from sched_cli.tui.browser.link import connector
from sched_cli.tui.browser.widgets.workflow.event_list import EventList
from sched_sdk import Client, Worker, WorkflowContext, workflow
from sched_server import EngineServer
from sched_server.settings import EngineSettings
from tests.tui.browser.driving import browsing, shows, text_of, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from textual.pilot import Pilot


@workflow(name="Waits")
async def waits(ctx: WorkflowContext) -> list[Any]:
    got: list[Any] = []

    @ctx.query
    def so_far(scale: int = 1) -> int:
        """How many signals there were."""
        return len(got) * scale

    while len(got) < 3:
        got.append((await ctx.wait_for_signal("go")).payload)
    return got


@contextlib.asynccontextmanager
async def serving(db: Path | str, port: int = 0) -> AsyncIterator[EngineServer]:
    server = EngineServer(EngineSettings(db=db, port=port))
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A client, with a worker behind it."""
    async with (
        serving(":memory:") as server,
        await Client.connect(server.address) as connected,
        Worker(connected, workflows=[waits]),
    ):
        yield connected


@contextlib.asynccontextmanager
async def browsing_engine(
    address: str, size: tuple[int, int] = (100, 30)
) -> AsyncIterator[Pilot[None]]:
    async with browsing(connector(address), size) as pilot:
        yield pilot


async def test_new_runs_leave_the_cursor_on_its_run(client: Client) -> None:
    for number in range(3):
        await client.start_workflow(waits, id=f"old-{number}")
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "3 listed")
        await pilot.press("down")
        await client.start_workflow(waits, id="new")
        await shows(pilot, "4 listed", "line 3")
        await pilot.press("y")
        assert pilot.app.clipboard == "old-1"


async def test_a_signal_is_sent_and_shown_as_an_event(client: Client) -> None:
    await client.start_workflow(waits, id="one")
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "1 listed")
        await pilot.press("enter", "right")
        await shows(pilot, "It waits for signal go", "WorkflowStarted")
        await pilot.press("s")
        await pilot.press("enter", "enter")
        await shows(pilot, "Name: there is nothing there yet")
        await pilot.press("shift+tab", "shift+tab", *"go", "tab", *'{"by": 7}', "enter")
        await shows(pilot, "Sent signal go to one.", "SignalReceived")


async def test_a_query_is_called_with_what_was_given(client: Client) -> None:
    handle = await client.start_workflow(waits, id="one")
    await handle.signal("go")
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "1 listed")
        await pilot.press("enter", "left")
        await shows(pilot, "so_far(scale: int = …)", "How many signals there were.")
        await pilot.press("enter")
        await pilot.press(*"12", "enter")
        await shows(pilot, "so_far: 12")


async def test_many_are_terminated_after_a_question(client: Client) -> None:
    handles = [await client.start_workflow(waits, id=f"wf-{number}") for number in range(12)]
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "12 listed")
        await pilot.press("a", "x")
        await shows(pilot, "End 12 runs")
        await pilot.press("escape")
        assert [(await handle.describe()).status for handle in handles] == ["RUNNING"] * 12
        await pilot.press("x", *"over", "enter", "enter")
        await shows(pilot, "Terminated 12 runs.", "■ 12")
        assert {(await handle.describe()).status for handle in handles} == {"TERMINATED"}


async def test_what_is_marked_is_signalled_and_canceled(client: Client) -> None:
    handles = [await client.start_workflow(waits, id=f"wf-{number}") for number in range(3)]
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "3 listed")
        await pilot.press("space", "space", "s", *"go", "enter", "enter")
        await shows(pilot, "Sent signal go to 2 runs.", "2 marked")
        so_far = [await handle.query("so_far") for handle in handles]
        assert so_far == [0, 1, 1], "newest first: the last two were marked"
        await pilot.press("c", *"why not", "enter", "enter")
        await shows(pilot, "Asked to cancel: 2 runs.", "⊘ 2")
        assert (await handles[0].describe()).status == "RUNNING"


async def test_following_stays_on_the_newest_event(client: Client) -> None:
    handle = await client.start_workflow(waits, id="one")
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "1 listed")
        await pilot.press("enter", "right")
        await shows(pilot, "WorkflowStarted")
        events = pilot.app.screen.query_one(EventList)
        await handle.signal("go", 1)
        await shows(pilot, "SignalReceived")
        assert events.event is not None
        assert events.event.type == "WorkflowStarted", "not asked to follow"
        await pilot.press("f")
        await handle.signal("go", "newest")
        await shows(pilot, '0: "newest"')
        await pilot.press("f", "g")
        await handle.signal("go", 3)
        await shows(pilot, "WorkflowCompleted", "It completed")
        assert events.cursor == 0, "does not follow any more"


async def test_a_run_is_reset_after_a_question(client: Client) -> None:
    handle = await client.start_workflow(waits, id="one")
    await handle.signal("go")
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "1 listed")
        await pilot.press("enter")
        await shows(pilot, "It waits for signal go")
        await pilot.press("r", *"x")
        await pilot.press("tab", "tab", "enter")
        await shows(pilot, "'x' is no event")
        await pilot.press("shift+tab", "shift+tab", "backspace", *"first", "tab", "tab", "enter")
        await shows(pilot, "Reset one; this is run")
        assert (await client.workflow("one").describe()).info.run_id != handle.run_id


async def test_a_run_is_forked_and_its_fork_is_opened(client: Client) -> None:
    handle = await client.start_workflow(waits, id="one")
    await handle.signal("go")
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "1 listed")
        await pilot.press("enter", "F")
        await pilot.press("tab", *"two", "tab", "tab", "enter")
        await shows(pilot, "Forked one")
        assert (await client.workflow("two").describe()).origin is not None
        await shows(pilot, "▸ two")


async def test_a_history_is_captured(client: Client, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    await client.start_workflow(waits, id="one")
    async with browsing_engine(client.addresses[0]) as pilot:
        await shows(pilot, "1 listed")
        await pilot.press("enter")
        await shows(pilot, "It waits for signal go")
        await pilot.press("w")
        await pilot.press("enter", "enter")
        await until((tmp_path / "one.json").exists, "the file")


async def test_an_engine_that_goes_and_comes(tmp_path: Path) -> None:
    db = tmp_path / "sched.db"
    async with serving(db) as server:
        address = server.address
        port = int(address.rpartition(":")[2])
        async with await Client.connect(address) as client:
            await client.start_workflow("Waits", id="kept")
        async with browsing_engine(address) as pilot:
            await shows(pilot, "1 listed")
            await server.stop(0)
            await shows(pilot, "Trying again", "kept")
            async with serving(db, port):
                await until(lambda: "Trying again" not in text_of(pilot), "the banner went")
                async with await Client.connect(address) as client:
                    await client.start_workflow("Waits", id="later")
                await shows(pilot, "later", "2 listed")


async def test_without_an_engine_it_says_so_and_can_be_left() -> None:
    async with browsing_engine("127.0.0.1:1") as pilot:
        await shows(pilot, "No engine answers", "sched dev")
        for key in ("enter", "x", "2", "1", "slash", "escape", "question_mark", "escape"):
            await pilot.press(key)
        await asyncio.wait_for(pilot.press("q"), timeout=10)
        assert pilot.app.return_code == 0

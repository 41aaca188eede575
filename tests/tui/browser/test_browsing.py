"""What keys and the mouse do on the screens, with recorded data."""

from __future__ import annotations

import base64
import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from sched_cli.tui.browser.screens.workflows import WorkflowsScreen
from sched_cli.tui.browser.widgets.common.key_line import KeyLine
from sched_cli.tui.browser.widgets.common.tab_line import TabLine
from sched_cli.tui.browser.widgets.workflow.event_list import EventList
from sched_cli.tui.browser.widgets.workflows.run_table import RunTable
from tests.tui.browser.clients import MANY, Forgetful, with_many_runs
from tests.tui.browser.driving import browsing_recorded, shows, text_of, until
from tests.tui.browser.recording import recorded

if TYPE_CHECKING:
    from textual.pilot import Pilot


def row_of(pilot: Pilot[None], text: str) -> str:
    return next(line for line in text_of(pilot).splitlines() if text in line)


async def test_thousands_are_read_as_one_scrolls_and_all_for_another_order() -> None:
    async with browsing_recorded(client=with_many_runs(recorded())) as pilot:
        await shows(pilot, "200 listed, more below")
        table = pilot.app.screen.query_one(RunTable)
        listed = 200
        while listed < MANY:
            await pilot.press("G")
            assert table.cursor == listed - 1
            await until(lambda known=listed: len(table.runs) > known, "older runs")
            listed = len(table.runs)
        await pilot.press("G")
        await shows(pilot, f"{MANY - 1:04d}", "1,000 listed · ", "line 1,000")
        assert table.run is not None
        # What was under the cursor stays there when the order is another.
        await pilot.press("o")
        await shows(pilot, "order: oldest", "line 1 ")
        assert table.run.workflow_id == f"wf-{MANY - 1:04d}"
        await pilot.press("g", "j")
        assert table.run.workflow_id == f"wf-{MANY - 2:04d}"


async def test_what_the_loss_of_the_engine_kept_from_being_read_is_read_then() -> None:
    async with browsing_recorded(client=with_many_runs(recorded(Forgetful))) as pilot:
        await shows(pilot, "200 listed, more below")
        await pilot.press("G")
        await shows(pilot, "399 listed, more below")
        # Two ways to notice the end may both have told of it: the second comes too late.
        screen = pilot.app.screen
        assert isinstance(screen, WorkflowsScreen)
        await screen._more()
        assert len(screen.runs) == 399


async def test_an_order_reads_everything_first() -> None:
    async with browsing_recorded(client=with_many_runs(recorded())) as pilot:
        await shows(pilot, "200 listed, more below")
        await pilot.press("o")
        await shows(pilot, "1,000 listed · order: oldest")
        await pilot.press("g")
        await shows(pilot, f"wf-{MANY - 1:04d}")


async def test_copying_goes_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    async with browsing_recorded() as pilot:
        written: list[str] = []
        driver = pilot.app._driver
        assert driver is not None
        monkeypatch.setattr(driver, "write", written.append)

        def copied() -> list[str]:
            sequences = [text for text in written if text.startswith("\x1b]52;c;")]
            return [
                base64.b64decode(text.removeprefix("\x1b]52;c;").rstrip("\a")).decode()
                for text in sequences
            ]

        await pilot.press("y", "enter", "right", "j", "j", "tab", "j", "j", "j", "y", "Y")
        await until(lambda: len(copied()) == 3, "copying")
        whole_id, part, all_of_it = copied()
        assert whole_id == "order-A-1042"
        assert '"receipt": "R-A-1042"' in part
        assert '"event"' not in part
        assert '"event": "ActivityCompleted"' in all_of_it


async def test_a_narrow_terminal_keeps_the_keys_that_lead_further() -> None:
    async with browsing_recorded((60, 20)) as pilot:
        some = "/ Filter  o Order  space Mark  s Signal  ? Keys  q Quit"
        await until(lambda: keys_of(pilot) == some, "the keys that fit")
        await pilot.resize_terminal(24, 20)
        await until(lambda: keys_of(pilot) == "? Keys  q Quit", "fewer keys")
        await pilot.resize_terminal(80, 24)
        await until(lambda: "x Terminate  ? Keys" in keys_of(pilot), "all keys")
        await pilot.press("enter")
        await pilot.resize_terminal(40, 20)
        await until(lambda: keys_of(pilot) == "esc Back  f Follow  ? Keys  q Quit", "keys of a run")


def keys_of(pilot: Pilot[None]) -> str:
    return text_of(pilot).splitlines()[-1].strip()


async def test_everything_can_be_clicked() -> None:
    async with browsing_recorded() as pilot:
        table = pilot.app.screen.query_one(RunTable)
        await pilot.click(RunTable, offset=(20, 3))
        assert table.cursor == 3
        await pilot.click(RunTable, offset=(20, 0), times=2)
        await shows(pilot, "It waits for activity reserve", "Timeline")
        await pilot.click(TabLine, offset=(14, 0))
        await shows(pilot, "ActivityScheduled")
        await pilot.click(EventList, offset=(20, 2))
        await shows(pilot, 'event: "ActivityCompleted"')
        await pilot.click(KeyLine, offset=(1, 0))  # esc Back
        await shows(pilot, "40 listed")


async def test_the_palette_has_every_action_once_and_does_it() -> None:
    async with browsing_recorded() as pilot:
        commands = [one.title for one in pilot.app.get_system_commands(pilot.app.screen)]
        assert len(commands) == len(set(commands))
        assert {"Filter", "Order", "Terminate", "Cluster", "Quit"} <= set(commands)
        assert not {"Up", "Down", "Copy selected text", "palette"} & set(commands)
        await pilot.press("ctrl+p", *"order")
        await shows(pilot, "key o")
        await pilot.press("down", "enter")
        await shows(pilot, "order: oldest")


async def test_what_runs_grows_and_what_repeats_opens() -> None:
    client = recorded()
    async with browsing_recorded(client=client) as pilot:
        await pilot.press("enter")
        await shows(pilot, "reserve", "remind")
        before = row_of(pilot, "◆ signal")
        client.now += timedelta(minutes=1)
        # The axis is longer now, so what happened once moves to the left.
        await until(lambda: row_of(pilot, "◆ signal") != before, "the axis to grow")
        assert row_of(pilot, "◆ signal").rindex("◆") < before.rindex("◆")
        assert "1 m 15 s" in row_of(pilot, "● workflow")
        await pilot.press("right")
        await shows(pilot, "⊞ 6 times ActivityScheduled")
        await pilot.press(*["j"] * 6, "enter")
        await shows(pilot, 'notify("user0@example.com")')
        assert "⊞" not in text_of(pilot)
        await pilot.press("z")
        await shows(pilot, "WorkflowTaskCompleted", "Every event is shown.")


async def test_a_wide_list_has_details_once_a_run_says_something() -> None:
    client = recorded()
    said = {run.run_id: run.details for run in client.runs}
    client.runs = [dataclasses.replace(run, details="") for run in client.runs]
    async with browsing_recorded((160, 30), client=client) as pilot:
        await shows(pilot, "approval-2026-11")
        assert row_of(pilot, "LAST EVENT").split()[-2:] == ["QUEUE", "BUILD"]
        client.runs = [dataclasses.replace(run, details=said[run.run_id]) for run in client.runs]
        await shows(pilot, "waiting for ann")
        assert row_of(pilot, "LAST EVENT").split()[-1] == "DETAILS"
        await pilot.resize_terminal(200, 30)
        await shows(pilot, "DETAILS", "waiting for ann and bob to approve", "QUEUE", "BUILD")
        await pilot.resize_terminal(148, 30)
        await until(lambda: "DETAILS" not in text_of(pilot), "the column goes")
        assert "waiting for ann" not in text_of(pilot)

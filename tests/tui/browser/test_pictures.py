"""Every screen, narrow and wide, dark and light, as docs/pictures shows it."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sched_cli.tui.browser.app import Browser
from sched_cli.tui.browser.screens.cluster import ClusterScreen
from sched_sdk._client.models import LatencyTotal, WorkflowCount, WorkflowStatus
from tests.tui.browser.driving import assert_picture, browsing_recorded, shows
from tests.tui.browser.recording import RecordedClient, recorded

if TYPE_CHECKING:
    from sched_sdk._client import Client
    from sched_sdk._client.models import ClusterStatus

NARROW, WIDE = (80, 24), (160, 50)
OPEN = ("enter",)
"""The newest run is the one that is recorded in full."""


def name_of(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


@pytest.mark.parametrize(
    ("size", "light"), [(NARROW, False), (NARROW, True), (WIDE, False), (WIDE, True)]
)
async def test_workflows(size: tuple[int, int], light: bool) -> None:
    async with browsing_recorded(size, light=light) as pilot:
        await pilot.press("down", "space", "down", "space", "up")
        shade = "light-" if light else ""
        await assert_picture(pilot, f"tui-workflows-{shade}{name_of(size)}")


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=name_of)
@pytest.mark.parametrize(
    ("tab", "steps", "light"),
    [("timeline", 0, False), ("events", 1, False), ("pending", 3, True)],
)
async def test_one_workflow(size: tuple[int, int], tab: str, steps: int, light: bool) -> None:
    async with browsing_recorded(size, light=light) as pilot:
        await pilot.press(*OPEN, *["right"] * steps)
        await assert_picture(pilot, f"tui-{tab}-{name_of(size)}")


_SECONDS = 120


class BusyClient(RecordedClient):
    """The same cluster, with more to do."""

    started = 0

    def count_at(self, second: int) -> WorkflowCount:
        """Starts that rise and fall, and runs that pile up and go."""
        self.started += round(30 * (math.sin(second / 9) + 1))
        running = 40 + second % 30
        return WorkflowCount(total=self.started, by_status={WorkflowStatus.RUNNING: running})

    async def status_at(self, second: int) -> ClusterStatus:
        """Latencies that rise with the starts, and now and then a slow disk."""
        total = LatencyTotal(count=0, total=timedelta(0))
        totals = [total, total]
        for before in range(second + 1):
            swing = 1 + math.sin(before / 9)
            for index, mean_us in enumerate((210 + 90 * swing + 900 * (before % 41 == 40), 70)):
                totals[index] = LatencyTotal(
                    count=totals[index].count + 40,
                    total=totals[index].total + 40 * timedelta(microseconds=mean_us * swing**index),
                )
        return dataclasses.replace(
            await super().cluster_status(),
            open_workflows=69,
            commit_latency=totals[0],
            dispatch_latency=totals[1],
        )

    async def count_workflows(self, **filters: Any) -> WorkflowCount:
        return WorkflowCount(total=self.started, by_status={WorkflowStatus.RUNNING: 69})

    async def cluster_status(self) -> ClusterStatus:
        return await self.status_at(_SECONDS - 1)


@pytest.mark.parametrize("size", [NARROW, WIDE], ids=name_of)
async def test_cluster(size: tuple[int, int]) -> None:
    client = recorded(BusyClient)
    async with browsing_recorded(size, client=client) as pilot:
        await pilot.press("2")
        screen = pilot.app.screen
        assert isinstance(screen, ClusterScreen)
        await shows(pilot, "LEADER")
        screen.rates.samples.clear()
        for second in range(_SECONDS):
            time = client.now - timedelta(seconds=_SECONDS - 1 - second)
            screen.rates.take(time, await client.status_at(second), client.count_at(second))
        await assert_picture(pilot, f"tui-cluster-{name_of(size)}")


async def test_a_filter_with_a_mistake() -> None:
    async with browsing_recorded(NARROW) as pilot:
        await pilot.press("slash", *"typ:Order")
        await assert_picture(pilot, "tui-filter-80x24")


async def test_palette() -> None:
    async with browsing_recorded(NARROW) as pilot:
        await pilot.press("ctrl+p")
        await assert_picture(pilot, "tui-palette-80x24")


async def test_an_engine_that_is_away() -> None:
    async with browsing_recorded(NARROW) as pilot:
        app = pilot.app
        assert isinstance(app, Browser)
        now = app.now()

        async def refused() -> Client:
            raise OSError("no engine answers at localhost:50051; start one with `sched dev`")

        app.link._connect = refused
        # Without a connection the clock would go on by itself.
        app.now = lambda: now
        app.link.lose("the connection was closed")
        await assert_picture(pilot, "tui-away-80x24")


async def test_what_destroys_is_asked_first() -> None:
    async with browsing_recorded(NARROW) as pilot:
        await pilot.press("space", "space", "x")
        await assert_picture(pilot, "tui-terminate-80x24")


async def test_keys() -> None:
    async with browsing_recorded(NARROW) as pilot:
        await pilot.press("question_mark")
        await assert_picture(pilot, "tui-keys-80x24")

"""The connection of the browser, without a screen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from sched_cli.tui.browser.link import Link, LinkLostError, connector
from tests.tui.browser.driving import until
from tests.tui.browser.test_live import serving

if TYPE_CHECKING:
    from pathlib import Path

TIMES = 3


async def test_it_is_there_within_a_second_of_an_engine_coming_back(tmp_path: Path) -> None:
    db = tmp_path / "sched.db"
    async with serving(db) as server:
        port = int(server.address.rpartition(":")[2])
    told: list[str] = []
    link = Link(connector(server.address), told.append)
    running = asyncio.create_task(link.run())
    took_s = []
    for _ in range(TIMES):
        await until(lambda: told and told[-1], "trying in vain")
        with pytest.raises(LinkLostError):
            await link.ask(lambda client: client.count_workflows())
        async with serving(db, port):
            begun = time.monotonic()
            await asyncio.wait_for(link.wait_connected(), timeout=10)
            took_s.append(time.monotonic() - begun)
            assert (await link.ask(lambda client: client.count_workflows())).total == 0
        link.lose("the engine stopped")
    running.cancel()
    # A machine that does something else for a while may spoil one.
    assert sorted(took_s)[TIMES // 2] < 1.0, took_s

"""The line that says how far long work has come: when it is there, and when it is not."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from sched_cli.render import console, progress
from sched_cli.render.progress import Progress
from tests.cli.support import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(progress, "SILENT_S", 0.0)
    monkeypatch.setattr(
        console, "messages", lambda: Console(file=written, force_terminal=True, width=80)
    )
    return written


async def things(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def test_it_counts_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with Progress("read") as shown:
        assert [thing async for thing in shown.count(things(1_200))] == list(range(1_200))
        wait_until(lambda: "read 1,200" in terminal.getvalue(), "the line")
        shown.expect(5_000)
        wait_until(lambda: "read 1,200 of 5,000" in terminal.getvalue(), "the whole")
    assert terminal.getvalue().endswith("\x1b[2K"), "the line is taken away"


@pytest.mark.parametrize("why", ["quick", "quiet", "hidden", "no terminal"])
def test_it_is_not_there(monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    terminal = on_terminal(monkeypatch)
    if why == "quick":
        monkeypatch.setattr(progress, "SILENT_S", 60.0)
    elif why == "quiet":
        monkeypatch.setenv("SCHED_QUIET", "1")
    elif why == "no terminal":
        monkeypatch.setattr(Terminal, "isatty", lambda _: False)
    with Progress("read", lambda: 7, hidden=why == "hidden") as shown:
        assert shown.is_wanted is (why == "quick")
    assert terminal.getvalue() == ""

"""An error of the browser is a notice: what raised ends, everything else goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sched_cli.tui.browser.failures import Failures
from sched_cli.tui.browser.screens.workflows import WorkflowsScreen
from sched_cli.tui.browser.widgets.workflows.run_preview import RunPreview
from sched_cli.tui.browser.widgets.workflows.run_table import RunTable
from sched_cli.tui.browser.widgets.workflows.status_tabs import StatusTabs
from tests.tui.browser.driving import browsing_recorded, shows, text_of, until

if TYPE_CHECKING:
    from pathlib import Path

    from textual.pilot import Pilot


def raising(error: type[Exception]) -> Any:
    def handler(*_: Any, **__: Any) -> Any:
        raise error("nobody thought of this")

    return handler


async def press_order(pilot: Pilot[None]) -> None:
    await pilot.press("o")


async def move(pilot: Pilot[None]) -> None:
    await pilot.press("down")


async def click_on_a_tab(pilot: Pilot[None]) -> None:
    await pilot.click(StatusTabs, offset=(12, 0))


async def resize(pilot: Pilot[None]) -> None:
    await pilot.resize_terminal(90, 24)


HANDLERS: list[tuple[str, type[Exception], type, str, Any]] = [
    ("a key", RuntimeError, WorkflowsScreen, "action_order", press_order),
    ("the mouse", ValueError, StatusTabs, "on_click", click_on_a_tab),
    ("a message", TypeError, WorkflowsScreen, "on_line_highlighted", move),
    ("a worker", LookupError, RunPreview, "show", move),
    ("painting", ArithmeticError, RunTable, "line", move),
    ("rendering", AttributeError, StatusTabs, "render", resize),
]


async def test_what_raises_is_told_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with browsing_recorded(failures=["nobody thought of this"]) as pilot:
        for what, error, owner, method, use in HANDLERS:
            pilot.app.clear_notifications()
            with monkeypatch.context() as patched:
                patched.setattr(owner, method, raising(error))
                await use(pilot)
                await shows(pilot, "sched itself failed, and goes on:", error.__name__)
            # The screen, its parts and the app still hear keys and the mouse.
            pilot.app.clear_notifications()
            await pilot.press("g", "j", "j")
            await shows(pilot, "line 3")
            await pilot.click(StatusTabs, offset=(2, 0))
            await pilot.press("question_mark")
            await shows(pilot, "Everywhere")
            await pilot.press("escape")
            await until(lambda: "Everywhere" not in text_of(pilot), f"going on after {what}")
        assert len(pilot.app.failures.all) == len(HANDLERS)  # type: ignore[attr-defined]  # our app


def test_tracebacks_are_written_where_asked_and_told_once(tmp_path: Path) -> None:
    seconds = iter([0.0, 5.0, 40.0])
    failures = Failures(tmp_path / "log", clock=lambda: next(seconds))
    try:
        raising(LookupError)()
    except LookupError as raised:
        error = raised
    first = failures.take(error)
    assert first is not None
    assert "LookupError: nobody thought of this (test_failures.py:" in first
    assert f"The traceback is in {tmp_path / 'log'}" in first
    assert failures.take(error) is None, "a line that cannot be painted fails at every repaint"
    assert failures.take(error) == first
    assert (tmp_path / "log").read_text().count("Traceback") == 2
    assert failures.all == [error]


def test_a_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    told = Failures(tmp_path / "no" / "log").take(ValueError("odd"))
    assert told is not None
    assert "cannot be written: No such file or directory" in told

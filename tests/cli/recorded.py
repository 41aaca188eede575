"""An app, histories of it, and commands that are run over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sched_sdk._capture import CapturedHistory, dump_capture
from tests.cli.support import forgetting_imports, sched_in_process
from tests.replay.engine import Engine, run_to_end

if TYPE_CHECKING:
    from subprocess import CompletedProcess

APP = """
from sched_sdk import WorkflowContext, activity, workflow


@activity
async def charge(number: str) -> str: ...


@activity
async def ship(number: str) -> None: ...


print("the app is imported")


@workflow(name="Test")
async def order(ctx: WorkflowContext, number: str) -> str:
    receipt = await ctx.queue_activity(charge, number)
    await ctx.sleep(60)
    return receipt
"""
SLEEP = "    await ctx.sleep(60)\n"
SHIP = "    await ctx.queue_activity(ship, number)\n"


def record(folder: Path, name: str, *arguments: Any) -> Engine:
    """A history of the app in `folder`, recorded there, into a file of that name."""
    scope: dict[str, Any] = {}
    exec(compile(APP, str(folder / "app.py"), "exec"), scope)
    engine = run_to_end(scope["order"], *arguments, activities=lambda name, args: "paid")
    write(folder / name, engine)
    return engine


def write(path: Path, engine: Engine) -> None:
    events = tuple(engine.history)
    path.write_text(dump_capture(CapturedHistory(events=events)), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An app and one history of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(APP)
    record(tmp_path, "order.json", "A-1")
    return tmp_path


Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def run_here(folder: Path) -> Run:
    """Run a command in the folder, without a process of its own; what it
    imports is forgotten."""

    def run(*arguments: str, **environment: str) -> CompletedProcess[str]:
        assert Path.cwd() == folder
        with forgetting_imports():
            return sched_in_process(*arguments, environment=environment)

    return run


def edit(folder: Path, old: str, new: str) -> None:
    assert old in APP
    (folder / "app.py").write_text(APP.replace(old, new))

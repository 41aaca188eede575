"""The history of one order, recorded by a real engine and worker."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sched_cli.histories import read_history
from sched_sdk import Client, Worker, WorkflowHandle
from sched_sdk._capture import CapturedHistory
from sched_sdk._definitions import WorkflowDefinition, workflow_definition_of
from tests.servers.engine import engine_here

SOURCE = Path(__file__).with_name("order.py").read_text(encoding="utf-8")

_numbers = itertools.count()


def load(path: Path) -> ModuleType:
    """Import a file under a name of its own."""
    name = f"variant_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def definition_in(module: ModuleType) -> WorkflowDefinition:
    """Its only workflow."""
    (found,) = (value for value in vars(module).values() if hasattr(value, "__sched_workflow__"))
    return workflow_definition_of(found)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> CapturedHistory:
    """A completed order."""
    path = tmp_path_factory.mktemp("recorded") / "app.py"
    path.write_text(SOURCE)
    return asyncio.run(_record(load(path)))


async def _record(app: ModuleType) -> CapturedHistory:
    async with engine_here() as server, await Client.connect(server.address) as client:
        activities = [app.charge, app.print_label, app.ship, app.audit]
        async with Worker(client, workflows=[app.order], activities=activities):
            handle = await client.start_workflow(app.order, "A-1", 675, id="order-1")
            await _until_it_waits(handle)
            await handle.signal("packed", 7)
            await handle.result()
        return await read_history(client, "order-1")


async def _until_it_waits(handle: WorkflowHandle[Any]) -> None:
    """The code has been given the firing of its timer, so it waits for the signal."""
    fired = 0
    async for event in handle.history(follow=True):
        assert event.raw is not None
        if event.type == "TimerFired":
            fired = event.event_id
        elif fired and event.raw.workflow_task_completed.seen >= fired:
            return


@pytest.fixture
def variant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[WorkflowDefinition, list[str]]]]:
    """Edit the recorded code and load it: the workflow, and the lines of the file."""

    def make(*edits: tuple[str, str], name: str = "app.py") -> tuple[WorkflowDefinition, list[str]]:
        source = SOURCE
        for old, new in edits:
            assert old in source, f"{old!r} is not in order.py"
            source = source.replace(old, new, 1)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        monkeypatch.chdir(tmp_path)
        return definition_in(load(path)), source.splitlines(keepends=True)

    return make

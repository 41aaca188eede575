"""The starters are run: the real app against a real engine."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from sched_sdk import Client, Worker
from tests.docs.markdown import ROOT
from tests.docs.running import declared


@pytest.fixture
def hello(tmp_path: Path) -> ModuleType:
    """The app of the starter `hello`, in a folder of its own and in a hurry."""
    path = tmp_path / "app.py"
    text = (ROOT / "templates" / "hello" / "app.py").read_text()
    assert text.count("sleep(2)") == text.count("sleep(0.2)") == 1
    path.write_text(text.replace("sleep(2)", "sleep(0.02)").replace("sleep(0.2)", "sleep(0)"))
    spec = importlib.util.spec_from_file_location("docs_starter_hello", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


async def test_hello(client: Client, hello: ModuleType, tmp_path: Path) -> None:
    values = list(vars(hello).values())
    async with Worker(
        client, workflows=declared(values, "workflow"), activities=declared(values, "activity")
    ):
        assert await client.execute_workflow("HelloWorld", "world") == "Hello, world!"
        report = await client.start_workflow("MonthlyReport", "2026-11")
        assert await report.result(timeout=20) == "report complete"
    sent = (tmp_path / "outbox.txt").read_text().splitlines()
    assert sent == [f"user{number}@example.com: report 2026-11" for number in range(3)]

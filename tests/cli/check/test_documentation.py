"""What the documentation says of `sched check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sched_cli.check.rules import RULES
from tests.cli.support import sched_in_process
from tests.docs.markdown import ROOT, table_below, titled

_PAGE = ROOT / "docs" / "guide" / "checking.md"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_page_lists_every_rule() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in table_below(_PAGE, "The rules")}
    assert told == {rule.id: rule.name for rule in RULES.values()}


def test_the_example_of_the_page() -> None:
    Path("app.py").write_text(titled(_PAGE, "app").text)
    done = sched_in_process("check", "app.py", environment={})
    assert done.stdout == titled(_PAGE, "findings").text


def test_the_example_of_the_command_lines_page() -> None:
    told = json.loads(titled(ROOT / "docs" / "cli-output.md", "check").text)
    Path("app.py").write_text(
        "import time\n\nfrom sched_sdk import WorkflowContext, workflow\n\n\n"
        "@workflow\nasync def order(ctx: WorkflowContext) -> None:\n\n\n    now()\n\n\n"
        "def now() -> float:\n    return time.time()\n"
    )
    real: dict[str, Any] = json.loads(
        sched_in_process("check", "app.py", "-o", "json", environment={}).stdout
    )
    assert json.dumps(real) == json.dumps(told)
    lines = sched_in_process("check", "app.py", "-o", "jsonl", environment={}).stdout.splitlines()
    assert [json.loads(line) for line in lines] == real["findings"]

"""`sched verify`: many histories, in this process and in others."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sched_cli import replay_pool, time_limit
from tests.cli.recorded import SHIP, SLEEP, Run, edit, folder, record, run_here
from tests.docs.markdown import ROOT, titled

if TYPE_CHECKING:
    from tests.cli.conftest import Served

__all__ = ["folder", "run_here"]


@pytest.fixture
def verify(run_here: Run) -> Run:
    return functools.partial(run_here, "verify")


@pytest.fixture
def captures(folder: Path) -> Path:
    """Histories A to D; on edited code, A and B part."""
    edit(folder, SLEEP, f'    if number < "C":\n    {SHIP}{SLEEP}')
    captures = folder / "captures"
    captures.mkdir()
    for number in "ABCD":
        record(captures, f"{number}.json", number)
    return captures


def test_all_agree(verify: Run) -> None:
    done = verify("order.json", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^Test +1 +1 +0 +0 +0 +9$", done.stdout, re.MULTILINE)


def test_some_break(captures: Path, verify: Run) -> None:
    (captures / "broken.json").write_text("{")
    done = verify("captures", "--app", "app.py")
    assert done.returncode == 1
    assert done.stdout.count("diverges at event 6 of 9") == 1
    assert "The same in wf-test." in done.stdout
    assert re.search(r"Test +4 +2 +2 +0 +0 +36\n", done.stdout)
    assert "broken.json is cut off" in done.stderr
    assert "1 could not be replayed" in done.stderr


def test_other_processes_find_the_same(
    captures: Path, verify: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_pool, "ALONE_S", 0.0)
    (captures / "broken.json").write_text("{")
    done = verify("captures", "--jobs", "2", "-o", "json")
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["agreed"], summary["diverged"], summary["events"]) == (2, 2, 36)
    (problem,) = summary["problems"]
    assert problem.startswith("captures/broken.json is cut off")
    # The app prints when it is imported; that is told once, and is no data.
    assert done.stderr == "the app is imported\n"
    monkeypatch.setattr(replay_pool, "ALONE_S", 60.0)
    alone = json.loads(verify("captures", "--jobs", "1", "-o", "json").stdout)
    assert timeless(alone) == timeless(summary)


def timeless(value: Any) -> Any:
    """Without what takes another time each time."""
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name != "seconds"}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_a_process_that_dies_is_told(
    folder: Path, verify: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_pool, "ALONE_S", 0.0)
    edit(folder, SLEEP, "    __import__('os')._exit(9)\n")
    (folder / "again.json").write_text((folder / "order.json").read_text())
    done = verify("order.json", "again.json", "--jobs", "2")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: A process died while it replayed one of these:" in done.stderr


def test_code_that_never_ends_is_interrupted(
    folder: Path, verify: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time_limit, "LIMIT_S", 0.2)
    edit(folder, SLEEP, "    while True:\n        pass\n")
    (folder / "histories").mkdir()
    record(folder / "histories", "again.json", "B")
    (folder / "order.json").rename(folder / "histories" / "order.json")
    done = verify("histories")
    assert done.returncode == 2
    told = re.findall(r"the code ran for \d+ s without an end and was interrupted", done.stderr)
    assert len(told) == 2, done.stderr


def test_the_json_is_as_documented(captures: Path, verify: Run) -> None:
    (captures / "other.json").write_text(
        (captures / "A.json").read_text().replace('"Test"', '"Other"')
    )
    done = verify("captures", "-o", "json")
    assert done.returncode == 1
    real = json.loads(done.stdout)
    documented = json.loads(titled(ROOT / "docs" / "cli-output.md", "verify").text)
    assert list(real) == list(documented)
    for name in ("types", "undefined", "breaks"):
        assert list(real[name][0]) == list(documented[name][0]), name
    assert real["undefined"] == [{"workflow_type": "Other", "count": 1}]
    assert real["breaks"][0]["report"]["divergence"]["event_id"] == 6
    lines = verify("captures", "-o", "jsonl").stdout.splitlines()
    outcomes = sorted(json.loads(line)["outcome"] for line in lines)
    assert outcomes == ["agrees", "agrees", "diverges", "diverges"]


def test_what_cannot_be_used(folder: Path, verify: Run) -> None:
    assert "Say what to verify" in verify().stderr
    assert "--open means --status RUNNING" in verify("--open", "--status", "FAILED").stderr
    (folder / "other").mkdir()
    text = (folder / "order.json").read_text().replace('"Test"', '"Other"')
    for name in ("1.json", "2.json"):
        (folder / "other" / name).write_text(text)
    done = verify("other")
    assert done.returncode == 2
    assert "They are of Other; it has Test" in done.stderr


def test_of_an_engine(
    served: Served, run_here: Run, verify: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [served.start("Waits", "--id", f"verify-waits-{number}") for number in range(3)]
    echo = served.start("Echo", "--input", "1", "--id", "verify-echo")
    assert served.sched("workflow", "result", echo).returncode == 0

    def summary(*arguments: str) -> dict[str, Any]:
        app = str(served.folder / "extra.py")
        done = verify(*arguments, "--app", app, "-o", "json", SCHED_ENGINE_ADDRESS=served.address)
        assert done.returncode == 0, done.stderr
        value = json.loads(done.stdout)
        assert isinstance(value, dict)
        return value

    def counts(*arguments: str) -> dict[str, int]:
        found = summary("--id", "verify-", *arguments)
        return {one["workflow_type"]: one["agreed"] for one in found["types"]}

    assert counts() == {"Waits": 3, "Echo": 1}
    assert counts("--open") == {"Waits": 3}
    assert counts("--newest-per-type", "2") == {"Waits": 2, "Echo": 1}
    assert counts("--newest-per-type", "1", "--type", "Echo") == {"Echo": 1}
    assert counts("--limit", "1", "--open") == {"Waits": 1}
    assert summary(*ids)["agreed"] == 3
    monkeypatch.setattr(replay_pool, "ALONE_S", 0.0)
    assert counts("--jobs", "2") == {"Waits": 3, "Echo": 1}

    for command in ("verify", "replay"):
        nothing = run_here(command, "--id", "verify-no", SCHED_ENGINE_ADDRESS=served.address)
        assert nothing.returncode == 0
        assert "Nothing would break: no workflow was found." in nothing.stderr


def test_without_an_engine(verify: Run) -> None:
    assert verify("--open", SCHED_ENGINE_ADDRESS="127.0.0.1:1").returncode == 3

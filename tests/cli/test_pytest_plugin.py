"""The pytest plug-in, in a pytest of its own, and its functions."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from sched_sdk import CaptureError, DefinitionError
from sched_sdk._capture import read_capture
from sched_sdk.pytest_plugin import assert_replays, replay_captures
from tests.cli.recorded import APP, SHIP, SLEEP, edit, folder, record
from tests.cli.support import pytest_in
from tests.docs.markdown import ROOT
from tests.replay.golden.v0_1_0 import edited, workflows

__all__ = ["folder"]

GOLDEN = ROOT / "tests" / "replay" / "golden" / "v0_1_0" / "histories"


@pytest.fixture
def project(folder: Path) -> Path:
    """An app with two captures, and the configuration of pytest."""
    (folder / "captures").mkdir()
    (folder / "order.json").rename(folder / "captures" / "order.json")
    record(folder / "captures", "other.json", "B-1")
    (folder / "pytest.ini").write_text("[pytest]\nsched_captures = captures\ntestpaths = tests\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_app.py").write_text("def test_it() -> None: ...\n")
    return folder


def test_captures_are_tests(project: Path) -> None:
    done = pytest_in(project)
    assert done.returncode == 0, done.stdout
    for name in ("captures/order.json::replay", "captures/other.json::replay", "::test_it"):
        assert f"{name} PASSED" in done.stdout


def test_a_failure_is_the_report(project: Path) -> None:
    edit(project, SLEEP, f'    if number < "B":\n    {SHIP}{SLEEP}')
    (project / "captures" / "broken.json").write_text("{")
    (project / "captures" / "foreign.json").write_text(
        (project / "captures" / "order.json").read_text().replace('"Test"', '"Other"')
    )
    done = pytest_in(project)
    assert done.returncode == 1
    assert "captures/order.json::replay FAILED" in done.stdout
    assert "captures/other.json::replay PASSED" in done.stdout
    assert "___ replay of order.json ___" in done.stdout
    assert "wf-test diverges at event 6 of 9 (Test)" in done.stdout
    assert "  timer 60 s      activity ship" in done.stdout
    assert "captures/broken.json is cut off" in done.stdout
    assert "It is of the workflow 'Other'; there is Test." in done.stdout
    assert "pytest_plugin.py" not in done.stdout


def test_who_names_tests_gets_these(project: Path) -> None:
    named = pytest_in(project, "tests/test_app.py")
    assert (named.returncode, named.stdout.count(" PASSED")) == (0, 1)
    (project / "elsewhere").mkdir()
    record(project / "elsewhere", "third.json", "C-1")
    asked = pytest_in(project, "tests", "--sched-captures", "elsewhere", "--sched-app", "app.py")
    assert (asked.returncode, asked.stdout.count("PASSED")) == (0, 2), asked.stdout
    assert "elsewhere/third.json::replay PASSED" in asked.stdout


def test_mistakes_of_the_configuration(project: Path) -> None:
    (project / "app.py").write_text(APP + "\n1 / 0\n")
    done = pytest_in(project)
    assert done.returncode == 1
    assert "app.py:22: ZeroDivisionError: division by zero" in done.stdout
    (project / "pytest.ini").write_text("[pytest]\nsched_captures = nowhere\n")
    done = pytest_in(project)
    assert done.returncode == 4
    assert "nowhere holds captured histories for sched, but is not there" in done.stderr


def test_who_does_not_use_it_pays_nothing() -> None:
    """It is imported with every pytest of everybody who has sched installed."""
    script = (
        "import sys, pytest; before = set(sys.modules); import sched_sdk.pytest_plugin;"
        "print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == {"sched_sdk", "sched_sdk.pytest_plugin"}


def test_it_is_registered() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    (path,) = declared["pytest11"].values()
    entry = importlib.metadata.EntryPoint("sched", path, "pytest11")
    assert entry.load() is sys.modules["sched_sdk.pytest_plugin"]


# ----------------------------------------------------------------------- functions


def test_assert_replays() -> None:
    assert_replays(GOLDEN / "forked.json", workflows.goes_on)
    assert_replays(str(GOLDEN / "open.json"), workflows.goes_on)
    with pytest.raises(AssertionError, match="open diverges at event 3 of 11"):
        assert_replays(GOLDEN / "open.json", edited.another_activity)
    with pytest.raises(DefinitionError):
        assert_replays(GOLDEN / "open.json", lambda: None)
    with pytest.raises(CaptureError, match="does not exist"):
        assert_replays("nowhere.json", workflows.goes_on)
    with pytest.raises(CaptureError, match="begins with its first event"):
        assert_replays([], workflows.goes_on)


def test_the_events_of_a_handle() -> None:
    captured = read_capture(GOLDEN / "forked.json")
    events = [SimpleNamespace(raw=event) for event in captured.events]
    assert_replays(events, workflows.goes_on)  # type: ignore[arg-type]  # only `raw` is read


def test_strict(tmp_path: Path) -> None:
    text = (GOLDEN / "open.json").read_text(encoding="utf-8")
    path = tmp_path / "open.json"
    path.write_text(text.replace('"input": ["A-1", 1]', '"input": ["A-1", 2]'), encoding="utf-8")
    assert_replays(path, workflows.goes_on)
    with pytest.raises(AssertionError, match=r"input\[1\] was 2, now it is 1"):
        assert_replays(path, workflows.goes_on, strict=True)


def test_replay_captures(tmp_path: Path) -> None:
    new = list(GOLDEN.glob("*.json"))
    assert replay_captures(GOLDEN, workflows.WORKFLOWS, strict=True) == len(new)
    with pytest.raises(AssertionError, match="of the workflow 'Steps'; there is GoesOn"):
        replay_captures(GOLDEN, [workflows.goes_on])
    with pytest.raises(AssertionError, match="no captured history in"):
        replay_captures(tmp_path, workflows.WORKFLOWS)
    (tmp_path / "one.json").write_text((GOLDEN / "open.json").read_text())
    assert replay_captures(tmp_path, [workflows.goes_on]) == 1
    (tmp_path / "one.json").write_text(json.dumps({}))
    with pytest.raises(CaptureError, match="not a captured history"):
        replay_captures(tmp_path, [workflows.goes_on])

"""`sched check` as people and CI run it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sched_cli.check.rules import RULES
from tests.cli.support import clean_environment, sched, sched_in_process

BROKEN = """import random
import time

from sched_sdk import WorkflowContext, workflow


@workflow(name="Order")
async def order(ctx: WorkflowContext) -> None:
    größe = time.time()
    pause()


def pause() -> None:
    time.sleep(random.random())
"""
CLEAN = BROKEN.replace("time.time()", "ctx.now()").replace(
    "    time.sleep(random.random())", "    ..."
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return sched_in_process("check", *arguments, environment=environment)


def rules_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [finding["rule"] for finding in json.loads(done.stdout)["findings"]]


def test_what_is_said_of_a_finding() -> None:
    Path("app.py").write_text(BROKEN)
    done = sched("check", "app.py")
    assert done.returncode == 1
    finding, source, marks = done.stdout.splitlines()[:3]
    assert finding == (
        "app.py:9:13: SCH101 time.time() reads the clock, which shows another time in replay. "
        "Use ctx.now()."
    )
    assert source == "    größe = time.time()"
    assert marks == "            ^^^^^^^^^^^"
    assert "    in workflow order, called from order (app.py:10)" in done.stdout.splitlines()
    assert "3 findings in 1 file (1 file, 1 workflow)." in done.stderr


def test_nothing_found() -> None:
    Path("app.py").write_text(CLEAN)
    done = sched("check", "app.py")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing found (1 file, 1 workflow)." in done.stderr


def test_a_file_without_workflows_is_said_to_have_none() -> None:
    Path("app.py").write_text("x = 1\n")
    done = run("app.py")
    assert done.returncode == 0
    assert "There is no workflow in 1 file" in done.stderr


def test_the_app_is_not_imported() -> None:
    Path("app.py").write_text("import nowhere\nraise SystemExit('imported')\n" + CLEAN)
    assert run("app.py").returncode == 0


def test_files_folders_modules_and_packages() -> None:
    for path in ("shop/flows/__init__.py", "shop/__init__.py", "loose/deep/__init__.py"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text("")
    for path in ("app.py", "shop/flows/one.py", "loose/two.py", "loose/test_two.py"):
        Path(path).write_text(BROKEN)
    assert len(rules_of(run("app.py", "loose", "-o", "json"))) == 6
    assert len(rules_of(run("shop", "-o", "json"))) == 3
    assert len(rules_of(run("shop.flows", "shop.flows.one", "-o", "json"))) == 3
    assert len(rules_of(run(".", "-o", "json"))) == 9


def test_rules_can_be_chosen() -> None:
    Path("app.py").write_text(BROKEN)
    assert rules_of(run("app.py", "-o", "json")) == ["SCH101", "SCH102", "SCH103"]
    assert rules_of(run("app.py", "-o", "json", "--select", "SCH102,sch103")) == [
        "SCH102",
        "SCH103",
    ]
    assert rules_of(run("app.py", "-o", "json", "--ignore", "SCH102", "--ignore", "SCH103")) == [
        "SCH101"
    ]
    assert rules_of(run("app.py", "-o", "json", SCHED_CHECK_SELECT="SCH101")) == ["SCH101"]
    assert run("app.py", "--ignore", "SCH1").returncode == 0


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_rule(option: str) -> None:
    Path("app.py").write_text(CLEAN)
    done = run("app.py", option, "SCH999")
    assert done.returncode == 2
    assert f"{option} SCH999: there is no such rule. There are SCH101 (clock), " in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"async def broken(ctx)\n", "app.py:1: SyntaxError: expected ':'"),
        (b"x = 1\ny = (\n", "app.py:2: SyntaxError: '(' was never closed"),
        (b"x = '\xff'\n", "app.py:1: SyntaxError: "),
        (b"# coding: klingon\n", "app.py:1: SyntaxError: "),
        (b"x = 1\0\n", "app.py:1: "),
        (b"x = 1" + b" + 1" * 2000, "app.py:1: this is nested too deeply."),
        (b"x = " + b"(" * 500 + b"1" + b")" * 500, "app.py:1: "),
    ],
    ids=("syntax", "open", "bytes", "encoding", "null", "long", "deep"),
)
def test_a_file_that_cannot_be_parsed(text: bytes, said: str) -> None:
    Path("app.py").write_bytes(text)
    done = run("app.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"error: {said}" in done.stderr


def test_a_file_that_workflow_code_leads_to_cannot_be_parsed() -> None:
    Path("app.py").write_text(CLEAN + "\nfrom helper import help_me\n")
    Path("helper.py").write_text("def help_me(:\n")
    assert run("app.py").returncode == 0  # nothing calls it
    Path("app.py").write_text("from helper import pause\n" + BROKEN.partition("\n\ndef")[0])
    done = run("app.py")
    assert done.returncode == 2
    assert "error: helper.py:1: SyntaxError: " in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("ap.py", "ap.py does not exist. Did you mean app.py?"),
        ("notes.txt", "notes.txt is not a Python file."),
        ("empty", "There is no Python file in empty."),
        ("nowhere.app", "There is no file, folder or module 'nowhere.app' here."),
        ("app.more", "There is no module 'app.more' in "),
    ],
)
def test_what_cannot_be_checked(given: str, said: str) -> None:
    Path("app.py").write_text(CLEAN)
    Path("notes.txt").write_text("")
    Path("empty").mkdir()
    done = run(given)
    assert done.returncode == 2
    assert f"error: {said}" in done.stderr


def test_json() -> None:
    Path("app.py").write_text(BROKEN)
    done = run("app.py", "-o", "json")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert (result["files"], result["workflows"]) == (1, 1)
    first, _, last = result["findings"]
    assert first == {
        "rule": "SCH101",
        "name": "clock",
        "message": "time.time() reads the clock, which shows another time in replay",
        "instead": "Use ctx.now().",
        "path": "app.py",
        "line": 9,
        "column": 13,
        "end_line": 9,
        "end_column": 24,
        "source": "    größe = time.time()",
        "declaration": "order",
        "calls": [],
    }
    assert last["calls"] == [{"path": "app.py", "line": 10, "function": "order"}]


def test_sarif() -> None:
    Path("my app.py").write_text(BROKEN)
    done = run("my app.py", "--output", "sarif")
    assert done.returncode == 1
    log = json.loads(done.stdout)
    assert (log["version"], set(log)) == ("2.1.0", {"$schema", "version", "runs"})
    (sarif_run,) = log["runs"]
    driver = sarif_run["tool"]["driver"]
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["help"]["text"]
    assert sarif_run["columnKind"] == "unicodeCodePoints"
    assert [result["ruleId"] for result in sarif_run["results"]] == ["SCH101", "SCH102", "SCH103"]
    for result in sarif_run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert result["message"]["text"]
        (location,) = result["locations"]
        _check_location(location)
    related = sarif_run["results"][1]["relatedLocations"]
    assert [place["message"]["text"] for place in related] == ["called from order"]
    _check_location(related[0])


def _check_location(location: dict[str, Any]) -> None:
    place = location["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20app.py"
    region = place["region"]
    assert region["startLine"] >= 1
    if "endLine" in region:
        assert (region["endLine"], region["endColumn"]) > (
            region["startLine"],
            region["startColumn"],
        )


def test_a_file_elsewhere_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("app.py").write_text(BROKEN)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    path = tmp_path / "app.py"
    result = json.loads(run(str(path), "-o", "sarif").stdout)["runs"][0]["results"][0]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == path.as_uri()


def test_it_imports_neither_the_sdk_nor_the_server() -> None:
    Path("app.py").write_text(CLEAN)
    program = (
        "import json, sys\nfrom sched_cli.main import run\n"
        "try:\n    run(['check', 'app.py', '-o', 'json'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert not modules & {"app", "sched_sdk", "sched_server", "textual", "grpc", "google.protobuf"}

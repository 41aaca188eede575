"""`sched capture` against a real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sched_sdk._capture import parse_capture

if TYPE_CHECKING:
    from tests.cli.conftest import Served


def completed(served: Served, *inputs: str) -> str:
    options = [word for value in inputs for word in ("--input", value)]
    workflow_id = served.start("Echo", *options)
    assert served.sched("workflow", "result", workflow_id).returncode == 0
    return workflow_id


def test_the_file_has_the_events_that_history_shows(served: Served, tmp_path: Path) -> None:
    workflow_id = completed(served, '{"a": 1}')
    path = tmp_path / "echo.json"
    done = served.sched("capture", workflow_id[:-4], "-o", str(path))
    assert (done.returncode, done.stdout) == (0, "")
    assert f"{workflow_id}: 3 events in {path}" in done.stderr

    document = json.loads(path.read_text())
    shown = json.loads(served.sched("workflow", "history", workflow_id, "-o", "json").stdout)
    assert document["events"] == shown
    assert document["workflow_id"] == workflow_id
    assert document["workflow_type"] == "Echo"


def test_stdout_has_the_document_and_nothing_else(served: Served) -> None:
    workflow_id = served.start("Waits")
    for written_to in ((), ("-o", "-")):
        done = served.sched("capture", workflow_id, *written_to)
        assert (done.returncode, done.stderr) == (0, "")
        assert parse_capture(done.stdout, "stdout").workflow_id == workflow_id


def test_redaction(served: Served) -> None:
    workflow_id = completed(served, '{"password": "geheim", "user": "ops"}', "call 4711")
    done = served.sched(
        *("capture", workflow_id),
        *("--redact", "password", "--redact", "/call [0-9]{4}/", "--redact", "card"),
    )
    assert done.returncode == 0
    assert "geheim" not in done.stdout
    assert "4711" not in done.stdout
    assert "--redact card found nothing" in done.stderr
    assert json.loads(done.stdout)["events"][0]["redacted"] == ["input[0].password", "input[1]"]


def test_a_run_is_named_by_its_id(served: Served) -> None:
    first = completed(served, "1")
    runs = json.loads(served.sched("workflow", "list", "--id", first, "-o", "json").stdout)
    done = served.sched("capture", first, "--run-id", runs[0]["run_id"])
    assert json.loads(done.stdout)["run_id"] == runs[0]["run_id"]
    assert served.sched("capture", first, "--run-id", "no-such-run").returncode == 4


def test_what_cannot_be_done_is_said(served: Served, tmp_path: Path) -> None:
    assert served.sched("capture", "no-such-workflow").returncode == 4
    workflow_id = completed(served, "1")
    unwritable = served.sched("capture", workflow_id, "-o", str(tmp_path))
    assert unwritable.returncode == 2
    assert "cannot be written: Is a directory" in unwritable.stderr
    broken = served.sched("capture", workflow_id, "--redact", "/[/")
    assert broken.returncode == 2
    assert "no regular expression" in broken.stderr


def test_a_format_is_not_taken_for_a_file(served: Served) -> None:
    done = served.sched("capture", "anything", "-o", "json")
    assert done.returncode == 2
    assert "names a file" in done.stderr
    assert "--output anything.json" in done.stderr

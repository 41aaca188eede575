"""`sched replay`, as people run it: files, ids, many at once, and what may be wrong."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.recorded import APP, SHIP, SLEEP, Run, edit, folder, record, run_here
from tests.cli.support import sched
from tests.docs.markdown import ROOT, titled

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.cli.conftest import Served

__all__ = ["folder", "run_here"]

Replay = Run


@pytest.fixture
def replay(run_here: Run) -> Replay:
    return functools.partial(run_here, "replay")


def test_success_is_one_line(replay: Replay) -> None:
    done = replay("order.json")
    assert done.returncode == 0
    assert re.fullmatch(
        r"wf-test agrees: 9 events in [\d.]+ ms, [\d,]+ events/s \(Test, closed\)\n", done.stdout
    )
    assert done.stderr == "the app is imported\n"


REPORT = """\
wf-test diverges at event 6 of 9 (Test)

  History says    Code does
  timer 60 s      activity ship("A-1")
  app.py:19       app.py:19

app.py
          16  @workflow(name="Test")
          17  async def order(ctx: WorkflowContext, number: str) -> str:
          18      receipt = await ctx.queue_activity(charge, number)
  both    19      await ctx.queue_activity(ship, number)
          20      return receipt

Locals of order at app.py:19
  number   'A-1'
  receipt  'paid'

Both agree on, last
  event 3  activity charge  app.py:18

Ways out
  put the code back  what it did is told above
  keep both          if ctx.patched("…"): the new way; else: the old one
  go on from before  sched workflow reset wf-test --to divergence
  try it beside      sched workflow fork wf-test --to divergence
"""


def test_a_divergence_is_reported_within_80_columns(folder: Path) -> None:
    edit(folder, SLEEP, SHIP)
    done = sched("replay", "order.json", cwd=folder, environment={"COLUMNS": "80"})
    assert done.returncode == 1
    shown = "\n".join(line.rstrip() for line in done.stdout.splitlines())
    assert shown.strip("\n").replace(" as it is now (recorded by another build)", "") == (
        REPORT.strip("\n")
    )
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_divergence_as_json(folder: Path, replay: Replay) -> None:
    edit(folder, SLEEP, SHIP)
    done = replay("order.json", "-o", "json")
    assert done.returncode == 1
    (report,) = json.loads(done.stdout)
    assert report["outcome"] == "diverges"
    assert report["source"] == "order.json"
    divergence = report["divergence"]
    assert divergence["event_id"] == 6
    assert divergence["recorded"] == {
        "what": "timer 60 s",
        "call_site": "app.py:19",
        "call_site_now": "app.py:19",
        "arguments": None,
    }
    assert divergence["current"] == {
        "what": "activity ship",
        "call_site": "app.py:19",
        "call_site_now": "",
        "arguments": ["A-1"],
    }
    (frame,) = divergence["frames"]
    assert frame["variables"][0] == {"name": "number", "value": "'A-1'"}


def test_the_json_is_as_documented(folder: Path, replay: Replay) -> None:
    (folder / "app.py").write_text(
        APP.replace(SLEEP, SHIP).replace("charge, number)", 'charge, "A-2")')
    )
    done = replay("order.json", "-o", "json")
    documented = json.loads(titled(ROOT / "docs" / "cli-output.md", "replay").text)
    assert shape(json.loads(done.stdout)) == shape(documented)


def shape(value: Any) -> Any:
    """The names of fields, to any depth; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_an_exception_is_told_apart(folder: Path, replay: Replay) -> None:
    edit(folder, SLEEP, '    raise ValueError("no tea")\n')
    done = replay("order.json")
    assert done.returncode == 1
    assert "wf-test raises at event 6 of 9" in done.stdout
    assert "raises ValueError: no tea" in done.stdout
    assert "mend the code" in done.stdout


def test_arguments_that_differ_are_warnings_unless_strict(folder: Path, replay: Replay) -> None:
    edit(folder, "charge, number)", "charge, number.lower())")
    done = replay("order.json")
    assert done.returncode == 0
    told = 'event 3, activity charge (app.py:18): input[0] was "A-1", now it is "a-1"'
    assert f"warning: wf-test: {told}" in done.stderr
    strict = replay("order.json", "--strict")
    assert strict.returncode == 1
    assert f"error: wf-test: {told}" in strict.stderr


def test_many_at_once(folder: Path, replay: Replay) -> None:
    edit(folder, SLEEP, f'    if number < "C":\n    {SHIP}{SLEEP}')
    captures = folder / "captures" / "deep"
    captures.mkdir(parents=True)
    for number in "ABCD":
        record(captures, f"{number}.json", number)
    (captures / "broken.json").write_text("{")
    done = replay("captures")
    assert done.returncode == 1
    assert done.stdout.count("diverges at event 6 of 9") == 1
    assert "The same in wf-test." in done.stdout
    assert re.search(r"Test +4 +2 +2 +0 +0 +36\n", done.stdout)
    assert "broken.json is cut off" in done.stderr
    lines = replay("captures", "-o", "jsonl").stdout.splitlines()
    outcomes = sorted(json.loads(line)["outcome"] for line in lines)
    assert outcomes == ["agrees", "agrees", "diverges", "diverges", "unreadable"]


def test_of_many_those_of_other_apps_are_skipped(folder: Path, replay: Replay) -> None:
    _other_type(folder)
    done = replay(".")
    assert (done.returncode, "Skipped 1 of Other" in done.stderr) == (0, True)


def _other_type(folder: Path) -> None:
    text = (folder / "order.json").read_text().replace('"Test"', '"Other"')
    (folder / "other.json").write_text(text)


def test_a_workflow_that_the_app_does_not_define(folder: Path, replay: Replay) -> None:
    _other_type(folder)
    done = replay("other.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "The app has no workflow named 'Other'; it has Test." in done.stderr
    (folder / "other").mkdir()
    (folder / "other.json").rename(folder / "other" / "other.json")
    done = replay("other")
    assert done.returncode == 2
    assert "The app has no workflow named 'Other'" in done.stderr
    (folder / "other" / "again.json").write_text((folder / "other" / "other.json").read_text())
    done = replay("other")
    assert done.returncode == 2
    assert "They are of Other; it has Test" in done.stderr


def test_a_folder_is_searched_but_not_what_is_installed_in_it(folder: Path, replay: Replay) -> None:
    installed = folder / "env" / "site-packages" / "other"
    installed.mkdir(parents=True)
    (installed / "schema.json").write_text("{}")
    done = replay(".")
    assert done.returncode == 0
    assert done.stdout.startswith("wf-test agrees")


def test_an_app_that_cannot_be_imported_shows_the_line(folder: Path, replay: Replay) -> None:
    (folder / "app.py").write_text(APP + "\n1 / 0\n")
    done = replay("order.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "app.py:22: ZeroDivisionError: division by zero\n    1 / 0\n" in done.stderr


def test_files_that_are_no_history(folder: Path, replay: Replay) -> None:
    (folder / "foreign.json").write_text('{"a": 1}')
    for file, complaint in (
        ("none.json", "none.json does not exist."),
        ("foreign.json", "foreign.json is JSON, but not a captured history."),
    ):
        done = replay(file)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"error: {complaint}" in done.stderr
    (folder / "empty").mkdir()
    assert "no .json file in empty" in replay("empty").stderr


def test_a_payload_that_nobody_can_read(folder: Path, replay: Replay) -> None:
    data = json.loads((folder / "order.json").read_text())
    data["events"][0]["attributes"]["input"][0] = {"base64": "AAE="}
    data["events"][0]["encodings"] = {"input[0]": "aes;key=k7"}
    (folder / "secret.json").write_text(json.dumps(data))
    done = replay("secret.json")
    assert done.returncode == 2
    assert "event 1 (WorkflowStarted) has a payload encoded as 'aes'" in done.stderr
    assert "Replay needs the codec and the key 'k7' that it was written with." in done.stderr


def test_the_obvious_app(folder: Path, replay: Replay) -> None:
    (folder / "app.py").rename(folder / "shop.py")
    (folder / "test_shop.py").write_text("import sched_sdk\n")
    (folder / "other.py").write_text("print('no workflows')\n")
    assert replay("order.json").returncode == 0
    (folder / "more.py").write_text("import sched_sdk\n")
    several = replay("order.json")
    assert several.returncode == 2
    assert "Several could be the app: more.py, shop.py. Say which: --app more.py" in several.stderr
    assert replay("order.json", "--app", "shop.py").returncode == 0
    assert replay("order.json", SCHED_APP="shop.py").returncode == 0
    (folder / "shop.py").unlink()
    (folder / "more.py").unlink()
    none = replay("order.json")
    assert none.returncode == 2
    assert "There is no app in" in none.stderr


def test_what_to_replay_must_be_said(replay: Replay) -> None:
    assert "Say what to replay" in replay().stderr
    assert replay("order.json", "--run-id", "r").returncode == 2


# ------------------------------------------------------------- from an engine


def test_from_the_engine(served: Served, replay: Replay) -> None:
    waits = served.start("Waits", "--id", "replay-waits")
    echo = served.start("Echo", "--input", "1", "--id", "replay-echo")
    assert served.sched("workflow", "result", echo).returncode == 0

    def replays(app: str, *arguments: str) -> CompletedProcess[str]:
        path = str(served.folder / app)
        return replay(*arguments, "--app", path, SCHED_ENGINE_ADDRESS=served.address)

    done = replays("extra.py", waits[:10])
    assert re.match(r"replay-waits agrees: \d events? .* \(Waits, open so far\)", done.stdout)
    assert replays("extra.py", "replay-none").returncode == 4

    both = replays("extra.py", "--all", "--id", "replay-")
    assert both.returncode == 0
    assert re.search(r"Echo +1 +1 .*\nWaits +1 +1 ", both.stdout)

    without = replays("app.py", "--status", "running", "--id", "replay-")
    assert without.returncode == 0
    assert "They are of Waits; it has HelloWorld" in without.stderr


def test_no_engine_is_needed_for_files_but_for_ids(replay: Replay) -> None:
    address = "127.0.0.1:1"
    assert replay("order.json", SCHED_ENGINE_ADDRESS=address).returncode == 0
    assert replay("order-1", SCHED_ENGINE_ADDRESS=address).returncode == 3

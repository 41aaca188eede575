"""`sched workflow query | stack`, `sched why`, and `show` with what the code says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sched_cli.render.reasons import KINDS
from tests.cli.support import Running, sched, sched_in_process, start_dev, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Served

# Nothing listens there.
NOBODY = "127.0.0.1:1,127.0.0.1:2"


def why(served: Served, workflow_id: str) -> dict[str, Any]:
    told = served.sched("why", workflow_id, "-o", "json")
    assert told.returncode == 0, told.stderr
    value: dict[str, Any] = json.loads(told.stdout)
    assert all(reason["kind"] in KINDS for reason in value["reasons"])
    return value


@pytest.fixture(scope="module")
def asked(served: Served) -> str:
    """A workflow that has had two signals and waits for a third."""
    workflow_id = served.start("Asked")
    for _ in range(2):
        assert served.sched("workflow", "signal", workflow_id, "approve").returncode == 0
    return workflow_id


def test_an_answer_is_json_or_a_plain_string(served: Served, asked: str) -> None:
    plain = served.sched("workflow", "query", asked, "progress")
    assert json.loads(plain.stdout) == {"rounds": 2}
    scaled = served.sched("workflow", "query", asked, "progress", "-i", "10", "-o", "jsonl")
    assert scaled.stdout == '{"rounds": 20}\n'
    assert served.sched("workflow", "query", asked, "words").stdout == "as it is\n"
    assert served.sched("workflow", "query", asked, "words", "-o", "json").stdout == '"as it is"\n'


def test_a_query_in_a_process_of_its_own(served: Served, asked: str) -> None:
    done = served.sched_process("workflow", "query", asked, "words")
    assert (done.returncode, done.stdout, done.stderr) == (0, "as it is\n", "")


def test_the_queries_of_a_workflow_are_listed(served: Served, asked: str) -> None:
    listed = served.sched("workflow", "query", asked)
    assert "progress(scale: int = …)" in listed.stdout
    assert "How many rounds there were." in listed.stdout
    queries = json.loads(served.sched("workflow", "query", asked, "-o", "json").stdout)
    assert [one["name"] for one in queries] == ["broken", "progress", "words"]


def test_what_goes_wrong_has_its_exit_code(served: Served, asked: str) -> None:
    unknown = served.sched("workflow", "query", asked, "progres")
    assert unknown.returncode == 2
    assert "it has broken, progress, words" in unknown.stderr
    failed = served.sched("workflow", "query", asked, "broken")
    assert failed.returncode == 1
    assert "ValueError: no such thing" in failed.stderr
    assert 'raise ValueError("no such thing")' in failed.stderr
    assert failed.stdout == ""
    missing = served.sched("workflow", "query", "nobody", "progress")
    assert missing.returncode == 4


def test_the_stack(served: Served, asked: str) -> None:
    (task,) = json.loads(served.sched("workflow", "stack", asked, "-o", "json").stdout)
    assert task["task"] == "workflow"
    assert task["frames"][0]["file"] == "extra.py"
    assert task["waits_on"]["kind"] == "signal"
    shown = served.sched("workflow", "stack", asked).stdout.splitlines()
    assert shown[0] == "workflow"
    assert shown[1].startswith(f"  extra.py:{task['frames'][0]['line']}  asked")
    assert shown[2].startswith("  waits for signal approve, since ")


def test_why_names_the_signal_and_the_line(served: Served, asked: str) -> None:
    told = why(served, asked)
    (reason,) = told["reasons"]
    assert (told["workflow_type"], told["status"], told["answered"]) == ("Asked", "RUNNING", True)
    assert told["details"] == "waits for people"
    assert (reason["kind"], reason["stuck"]) == ("signal", False)
    assert reason["fields"]["name"] == "approve"
    sentence = reason["sentence"]
    assert sentence.startswith("It waits for signal approve, since ")
    assert sentence.endswith(f", at {reason['fields']['call_site']}.")
    in_words = served.sched("why", asked).stdout
    assert in_words.startswith("It waits for signal approve, since ")
    assert "It says: waits for people" in in_words


def test_show_carries_the_same(served: Served, asked: str) -> None:
    shown = served.sched("workflow", "show", asked).stdout
    assert "  It waits for signal approve, since " in shown
    assert "Details     waits for people" in shown
    value = json.loads(served.sched("workflow", "show", asked, "-o", "json").stdout)
    assert value["details"] == "waits for people"
    assert [reason["kind"] for reason in value["reasons"]] == ["signal"]


def test_why_an_activity_is_tried_again(served: Served) -> None:
    workflow_id = served.start("Retries")
    found: list[dict[str, Any]] = []

    def failed() -> bool:
        found[:] = why(served, workflow_id)["reasons"]
        return bool(found[0]["stuck"])

    wait_until(failed, "the activity fails")
    assert found[0]["kind"] == "activity_failed"
    assert found[0]["fields"]["failure"] == {
        "type": "ConnectionError",
        "message": "no route to mail.example.com",
    }
    assert "attempt 2 of 5, next try in " in found[0]["sentence"]


def test_why_a_workflow_ended(served: Served) -> None:
    workflow_id = served.start("Fails")
    assert served.sched("workflow", "result", workflow_id).returncode == 1
    (reason,) = why(served, workflow_id)["reasons"]
    assert reason["kind"] == "closed"
    assert reason["fields"]["status"] == "FAILED"
    assert reason["sentence"].endswith("OutOfMoney: the till is empty.")


def test_why_nobody_takes_a_task(served: Served) -> None:
    elsewhere = served.start("Waits", "--task-queue", "elsewhere")
    (reason,) = why(served, elsewhere)["reasons"]
    assert (reason["kind"], reason["stuck"]) == ("no_worker", True)
    assert "Start one: sched worker app.py --task-queue elsewhere" in reason["sentence"]
    unknown = served.start("NoSuchWorkflow")
    (reason,) = why(served, unknown)["reasons"]
    assert reason["kind"] == "workflow_not_served"
    assert "none of them has workflow NoSuchWorkflow" in reason["sentence"]


def test_why_of_nothing(served: Served) -> None:
    assert served.sched("why", "nobody").returncode == 4


def test_why_without_an_engine_names_those_that_were_tried() -> None:
    told = sched("why", "some", "--engine", NOBODY, "-o", "json")
    assert told.returncode == 3
    (reason,) = json.loads(told.stdout)["reasons"]
    assert reason["kind"] == "no_leader"
    assert list(reason["fields"]["engines"]) == NOBODY.split(",")
    assert told.stderr.startswith("error: No engine leads, so nothing goes on: 127.0.0.1:1 does")


_BEFORE = """
from sched_sdk import WorkflowContext, workflow


@workflow(name="Edited")
async def edited(ctx: WorkflowContext) -> None:
    await ctx.wait_for_signal("go")
"""


def test_without_a_worker_and_after_an_edit(tmp_path: Path) -> None:
    """A worker goes, and comes back with code that does something else."""
    app = tmp_path / "app.py"
    app.write_text(_BEFORE)
    dev, address = start_dev(tmp_path)

    def ask(*arguments: str) -> tuple[int, str, str]:
        done = sched_in_process(*arguments, environment={"SCHED_ENGINE_ADDRESS": address})
        return done.returncode, done.stdout, done.stderr

    def serving() -> Running:
        return Running("worker", "app.py", "--engine", address, cwd=tmp_path)

    with dev:
        with serving() as worker:
            worker.wait_for("serves")
            workflow_id = ask("workflow", "start", "Edited")[1].strip()
            assert "waits for signal go" in ask("workflow", "stack", workflow_id)[1]
        wait_until(
            lambda: ask("why", workflow_id)[1].startswith("It waits for a signal, since "),
            "the worker is gone",
        )
        # While workers of an earlier engine may still come back, it does not say so.
        wait_until(
            lambda: "No worker serves workflow type Edited" in ask("why", workflow_id)[1],
            "the worker is missed",
        )
        code, _, error = ask("workflow", "stack", workflow_id)
        assert code == 1
        assert "no worker is connected on task queue 'default'" in error
        app.write_text(_BEFORE.replace('wait_for_signal("go")', "sleep(5)"))
        with serving() as worker:
            worker.wait_for("serves")
            ask("workflow", "signal", workflow_id, "go")
            wait_until(
                lambda: "failed with non-determinism" in ask("why", workflow_id)[1],
                "the code diverges",
            )
            code, _, error = ask("workflow", "stack", workflow_id)
            assert code == 1
            assert "does not get past its history" in error

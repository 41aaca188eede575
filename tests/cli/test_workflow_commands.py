"""Every `sched workflow` command against a real engine and worker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import Running, lines, sched, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Served


def test_the_walk_through(served: Served) -> None:
    started = served.sched_process("workflow", "start", "HelloWorld", "--input", "world")
    assert started.returncode == 0
    workflow_id = started.stdout.strip()
    assert workflow_id.startswith("wf-")
    assert f"sched workflow result {workflow_id}" in started.stderr

    result = served.sched_process("workflow", "result", workflow_id)
    assert (result.returncode, result.stdout) == (0, "Hello, world!\n")


def test_start_and_wait_prints_the_result_only(served: Served) -> None:
    done = served.sched("workflow", "start", "HelloWorld", "-i", "world", "--wait")
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n")


def test_start_and_follow_shows_the_history_beside_the_result(served: Served) -> None:
    done = served.sched("workflow", "start", "HelloWorld", "-i", "world", "--follow")
    assert (done.returncode, done.stdout) == (0, "Hello, world!\n")
    assert 'greet("world")' in done.stderr
    assert "WorkflowCompleted" in done.stderr


def test_inputs_are_json_or_strings(served: Served) -> None:
    done = served.sched(
        *("workflow", "start", "Echo", "--wait", "-o", "jsonl"),
        *("--input", '{"to": [1, null]}', "--input", "2026-11"),
    )
    assert json.loads(done.stdout) == [{"to": [1, None]}, "2026-11"]


def test_a_result_that_is_no_string_is_json(served: Served) -> None:
    done = served.sched("workflow", "start", "Echo", "--wait", "-i", "ä", "-i", "1")
    assert json.loads(done.stdout) == ["ä", 1]
    assert "ä" in done.stdout


def test_malformed_json_is_a_usage_error(served: Served) -> None:
    done = served.sched("workflow", "start", "Echo", "--input", '{"a": 1 "b"}')
    assert (done.returncode, done.stdout) == (2, "")
    assert "column 9" in done.stderr


def test_a_failure_has_exit_code_1_and_shows_why(served: Served) -> None:
    done = served.sched("workflow", "start", "Fails", "--wait")
    assert (done.returncode, done.stdout) == (1, "")
    assert "OutOfMoney: the till is empty" in done.stderr
    assert "extra.py" in done.stderr, "the remote traceback"
    assert lines(done.stderr)[-1].endswith("did not complete: FAILED")
    assert "sched_cli" not in done.stderr


def test_an_id_is_taken_once(served: Served) -> None:
    served.start("Waits", "--id", "taken")
    again = served.sched("workflow", "start", "Waits", "--id", "taken")
    assert again.returncode == 1
    assert "'taken' is already running" in again.stderr
    used = served.start("Waits", "--id", "taken", "--id-conflict", "use_existing")
    assert used == "taken"


def test_starting_with_json_output_gives_both_ids(served: Served) -> None:
    done = served.sched("workflow", "start", "HelloWorld", "-i", "x", "--output", "json")
    assert set(json.loads(done.stdout)) == {"workflow_id", "run_id"}


def test_an_execution_timeout_ends_it(served: Served) -> None:
    done = served.sched(*("workflow", "start", "Waits", "--execution-timeout", "200ms", "--wait"))
    assert done.returncode == 1
    assert "TIMED_OUT" in done.stderr


def test_a_start_delay_is_shown(served: Served) -> None:
    workflow_id = served.start("HelloWorld", "-i", "x", "--start-delay", "1h")
    shown = served.sched("workflow", "show", workflow_id).stdout
    assert "It starts in 59 m" in shown or "It starts in 1 h" in shown


def test_a_signal_reaches_the_workflow(served: Served) -> None:
    workflow_id = served.start("Waits")
    sent = served.sched("workflow", "signal", workflow_id, "go", "--input", "42")
    assert (sent.returncode, sent.stdout) == (0, "")
    assert served.sched("workflow", "result", workflow_id).stdout == "42\n"

    late = served.sched("workflow", "signal", workflow_id, "go")
    assert late.returncode == 1
    assert "already ended" in late.stderr


def test_cancel_and_terminate(served: Served) -> None:
    cancelled, terminated = served.start("Waits"), served.start("Waits")
    assert served.sched("workflow", "cancel", cancelled, "--reason", "why").returncode == 0
    assert served.sched("workflow", "terminate", terminated, "--reason", "why").returncode == 0
    for workflow_id, status in ((cancelled, "CANCELED"), (terminated, "TERMINATED")):
        result = served.sched("workflow", "result", workflow_id)
        assert result.returncode == 1
        assert status in result.stderr


def test_list_filters(served: Served) -> None:
    served.start("HelloWorld", "-i", "x", "--id", "filter-1", "--wait")
    served.start("Waits", "--id", "filter-2")

    def ids(*filters: str) -> list[str]:
        done = served.sched("workflow", "list", "--id", "filter-", "-o", "json", *filters)
        assert done.returncode == 0, done.stderr
        return [run["workflow_id"] for run in json.loads(done.stdout)]

    assert ids() == ["filter-2", "filter-1"]
    assert ids("--status", "running") == ["filter-2"]
    assert ids("--status", "FAILED,COMPLETED") == ["filter-1"]
    assert ids("--type", "Waits") == ["filter-2"]
    assert ids("--task-queue", "elsewhere") == []
    assert ids("--limit", "1") == ["filter-2"]
    assert served.sched("workflow", "list", "--status", "lost").returncode == 2


def test_a_list_in_each_format(served: Served) -> None:
    for number in range(2):
        served.start("HelloWorld", "-i", "x", "--id", f"format-{number}", "--wait")
    chosen = ("workflow", "list", "--id", "format-")

    table = lines(served.sched(*chosen).stdout)
    assert table[0].split() == ["ID", "TYPE", "STATUS", "STARTED", "TOOK", "EVENTS"]
    assert table[1].split()[:3] == ["format-1", "HelloWorld", "COMPLETED"]

    as_json = json.loads(served.sched(*chosen, "-o", "json").stdout)
    as_lines = [
        json.loads(line) for line in served.sched(*chosen, "-o", "jsonl").stdout.split("\n")[:-1]
    ]
    assert as_json == as_lines
    assert set(as_json[0]) == {
        *("workflow_id", "run_id", "workflow_type", "task_queue", "status"),
        *("start_time", "close_time", "history_length", "build_id", "last_event"),
        "details",
    }
    ended = {"type": "WorkflowCompleted", "time": as_json[0]["close_time"]}
    assert as_json[0]["last_event"] == ended
    build = as_json[0]["build_id"]
    assert len(build) == 12
    of_build = lines(served.sched(*chosen, "--build", build).stdout)
    # But for how long ago it was, which may have changed.
    assert [line.split()[:3] for line in of_build] == [line.split()[:3] for line in table]
    assert "COMPLETED" not in served.sched(*chosen, "--build", "other").stdout
    assert as_json[0]["start_time"].endswith("Z")


def test_more_than_the_limit_is_said_on_stderr(served: Served) -> None:
    for number in range(2):
        served.start("HelloWorld", "-i", "x", "--id", f"many-{number}")
    done = served.sched("workflow", "list", "--id", "many-", "--limit", "1")
    assert len(lines(done.stdout)) == 2
    assert "There are more" in done.stderr


def test_an_empty_list_is_no_error(served: Served) -> None:
    done = served.sched("workflow", "list", "--id", "nothing-")
    assert (done.returncode, done.stdout) == (0, "")
    assert served.sched("workflow", "list", "--id", "nothing-", "-o", "json").stdout == "[]\n"


def test_count(served: Served) -> None:
    for number in range(2):
        served.start("HelloWorld", "-i", "x", "--id", f"count-{number}", "--wait")
    served.start("Waits", "--id", "count-w")
    counted = json.loads(served.sched("workflow", "count", "--id", "count-", "-o", "json").stdout)
    assert counted == {"total": 3, "by_status": {"RUNNING": 1, "COMPLETED": 2}}
    table = lines(served.sched("workflow", "count", "--id", "count-").stdout)
    assert table[-1].split() == ["total", "3"]


def test_show_says_what_it_waits_for(served: Served) -> None:
    workflow_id = served.start("Waits")
    wait_until(
        lambda: (
            "It waits for signal go, since " in served.sched("workflow", "show", workflow_id).stdout
        ),
        "the workflow waits",
    )
    nobody = served.start("Waits", "--task-queue", "deserted")
    shown = served.sched("workflow", "show", nobody).stdout
    assert "No worker serves workflow type Waits on task queue deserted." in shown


def test_show_says_why_an_activity_is_tried_again(served: Served) -> None:
    workflow_id = served.start("Retries")
    wait_until(
        lambda: "next try" in served.sched("workflow", "show", workflow_id).stdout,
        "the activity fails",
    )
    shown = served.sched("workflow", "show", workflow_id).stdout
    assert "It waits for activity refuse at extra.py:" in shown
    assert ", attempt 2 of 5, next try in " in shown
    assert "ConnectionError: no route to mail.example.com" in shown
    assert "extra.py:" in shown


def test_result_says_what_keeps_it(served: Served) -> None:
    workflow_id = served.start("HelloWorld", "-i", "x", "--task-queue", "deserted")
    done = served.sched("workflow", "result", workflow_id, "--timeout", "1.5s")
    assert done.returncode == 1
    assert (
        "Waiting: No worker serves workflow type HelloWorld on task queue deserted" in done.stderr
    )
    assert "has not ended within 1.5s" in done.stderr


def test_history_in_each_format(served: Served) -> None:
    workflow_id = "history-1"
    served.start("HelloWorld", "-i", "world", "--id", workflow_id, "--wait")
    table = lines(served.sched("workflow", "history", workflow_id).stdout)
    assert table[0].split() == ["ID", "TIME", "AFTER", "EVENT", "WHAT"]
    assert table[1].endswith('HelloWorld("world") on default')
    assert table[-1].endswith('→ "Hello, world!"')

    events = json.loads(served.sched("workflow", "history", workflow_id, "-o", "json").stdout)
    assert [event["event_id"] for event in events] == list(range(1, len(events) + 1))
    assert set(events[0]) == {"event_id", "type", "time", "attributes"}
    assert events[0]["attributes"]["input"] == ["world"]
    later = served.sched("workflow", "history", workflow_id, "-o", "jsonl", "--after", "3")
    assert [json.loads(line) for line in later.stdout.splitlines()] == events[3:]
    assert len(lines(served.sched("workflow", "history", workflow_id, "--after", "3").stdout)) == (
        len(events) - 3 + 1
    )


def test_following_a_history_shows_events_as_they_come_and_ends_with_it(
    served: Served, tmp_path: Path
) -> None:
    workflow_id = served.start("Waits")
    following = Running(
        *("workflow", "history", workflow_id, "--follow", "--engine", served.address),
        cwd=tmp_path,
    )
    with following:
        following.wait_for("WorkflowTaskCompleted")
        served.sched("workflow", "signal", workflow_id, "go", "-i", "1")
        following.wait_for(r"SignalReceived\s+go\(1\)")
        assert following.process.wait(timeout=60) == 0
    assert "WorkflowCompleted" in following.output


def test_the_beginning_of_an_id_is_enough(served: Served) -> None:
    served.start("Waits", "--id", "prefix-one")
    served.start("Waits", "--id", "prefix-other")
    served.start("Waits", "--id", "prefix")

    def shown(given: str) -> str:
        done = served.sched("workflow", "show", given, "-o", "json")
        assert done.returncode == 0, done.stderr
        found: str = json.loads(done.stdout)["info"]["workflow_id"]
        return found

    assert shown("prefix-one") == "prefix-one"
    assert shown("prefix-on") == "prefix-one"
    assert shown("prefix") == "prefix", "an exact id is never ambiguous"

    several = served.sched("workflow", "terminate", "prefix-o")
    assert several.returncode == 2
    assert "'prefix-o' begins several ids" in several.stderr
    assert {"  prefix-one", "  prefix-other"} <= set(several.stderr.splitlines())

    sent = served.sched("workflow", "signal", "prefix-on", "go", "-i", "1")
    assert sent.stderr == "Sent signal go to prefix-one.\n"


def test_at_most_five_candidates_are_shown(served: Served) -> None:
    for number in range(7):
        served.start("Waits", "--id", f"crowd-{number}")
    done = served.sched("workflow", "show", "crowd")
    assert done.returncode == 2
    assert len([line for line in done.stderr.splitlines() if line.startswith("  crowd-")]) == 5
    assert "  and 2 more" in done.stderr


@pytest.mark.parametrize(
    "command", [["show"], ["history"], ["result"], ["cancel"], ["terminate"], ["history", "-f"]]
)
def test_an_unknown_id_has_exit_code_4(served: Served, command: list[str]) -> None:
    done = served.sched("workflow", *command, "no-such-workflow")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "error: There is no workflow 'no-such-workflow'. See which there are: sched workflow list\n"
    )


def test_no_engine_has_exit_code_3_and_is_said_soon(tmp_path: Path) -> None:
    done = sched("workflow", "list", "--engine", "127.0.0.1:1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "error: No engine at 127.0.0.1:1. Start one: sched dev\n"


def test_debug_shows_the_traceback_wherever_it_stands(tmp_path: Path) -> None:
    for arguments in (["--debug", "workflow", "list"], ["workflow", "list", "--debug"]):
        done = sched(*arguments, "--engine", "127.0.0.1:1", cwd=tmp_path)
        assert done.returncode == 3
        assert "Traceback" in done.stderr


def test_what_is_no_address_is_a_usage_error(tmp_path: Path) -> None:
    done = sched("workflow", "list", "--engine", "nonsense:port", cwd=tmp_path)
    assert done.returncode == 2
    assert "'nonsense:port' is no engine address" in done.stderr


def test_variables_stand_for_options(served: Served) -> None:
    served.start("HelloWorld", "-i", "x", "--id", "variable-1", "--wait")
    environment = {"SCHED_OUTPUT": "jsonl", "SCHED_ID_PREFIX": "variable-"}
    done = served.sched("workflow", "list", environment=environment)
    assert json.loads(done.stdout)["workflow_id"] == "variable-1"
    old_name = {"SCHED_ENGINE_ADDRESS": "", "ENGINE_ADDRESS": served.address}
    assert served.sched("workflow", "count", environment=old_name).returncode == 0


def test_a_pipe_gets_no_colours_and_no_cut_lines(served: Served) -> None:
    long = "long-" + "x" * 240
    served.start("HelloWorld", "-i", "y" * 100, "--id", long, "--wait")
    for command in (["list", "--id", long], ["show", long], ["history", long]):
        done = served.sched_process("workflow", *command)
        assert "\x1b" not in done.stdout
        assert "…" not in done.stdout
        assert long in done.stdout or "y" * 100 in done.stdout


def test_an_unknown_command_gets_a_suggestion(tmp_path: Path) -> None:
    done = sched("workflow", "strt", cwd=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'start'?" in done.stderr


def test_version(tmp_path: Path) -> None:
    done = sched("version", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("sched ")
    assert "Python 3." in done.stdout


def test_reset_takes_an_ended_workflow_up_again(served: Served) -> None:
    workflow_id = served.start("Waits")
    served.sched("workflow", "terminate", workflow_id)

    done = served.sched("workflow", "reset", workflow_id, "--to", "first", "--reason", "too early")

    assert (done.returncode, done.stdout) == (0, "")
    assert f"Reset {workflow_id}: run " in done.stderr
    assert "has its events up to 1." in done.stderr
    shown = served.sched("workflow", "show", workflow_id)
    assert "events 1 to 1 of run" in shown.stdout
    served.sched("workflow", "signal", workflow_id, "go", "--input", "1")
    assert served.sched("workflow", "result", workflow_id).stdout == "1\n"


def test_fork_prints_the_new_id(served: Served) -> None:
    workflow_id = served.start("Waits")
    served.sched("workflow", "signal", workflow_id, "go", "--input", "1")
    assert served.sched("workflow", "result", workflow_id).stdout == "1\n"

    done = served.sched("workflow", "fork", workflow_id, "--event", "1")

    assert done.returncode == 0, done.stderr
    assert "with 1 later signal." in done.stderr
    assert done.stdout.strip() != workflow_id
    assert served.sched("workflow", "result", done.stdout.strip()).stdout == "1\n"


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ((), 2, "either --event N"),
        (("--event", "1", "--to", "first"), 2, "either --event N"),
        (("--event", "0"), 2, "--event"),
        (("--event", "99"), 2, "event 99 is not in the history"),
        (("--to", "middle"), 2, "middle"),
    ],
)
def test_what_reset_refuses(
    served: Served, options: tuple[str, ...], code: int, message: str
) -> None:
    workflow_id = served.start("Waits")

    done = served.sched("workflow", "reset", workflow_id, *options)

    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    served.sched("workflow", "terminate", workflow_id)


def test_reset_of_nothing(served: Served) -> None:
    assert served.sched("workflow", "reset", "nothing", "--to", "first").returncode == 4

"""`--watch`: one look after another, on a terminal and for programs."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import Running, start_dev
from tests.cli.terminal import LEAVE_SECOND_SCREEN, OnTerminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Served

WATCHED = (
    ("workflow", "list"),
    ("workflow", "count"),
    ("workflow", "show", "w"),
    ("why", "w"),
    ("cluster", "status"),
)


def test_a_list_is_drawn_again_in_place_until_an_interrupt(served: Served) -> None:
    watching = ("workflow", "list", "--id", "watch-", "--watch", "--interval", "100ms")
    with OnTerminal(*watching, cwd=served.folder, engine=served.address) as terminal:
        terminal.wait_for(r"every 100 ms\. Ctrl-C ends\.\s+There are no such workflows")
        served.start("Waits", "--id", "watch-1")
        terminal.wait_for(r"watch-1 +Waits +RUNNING")
        served.sched("workflow", "terminate", "watch-1")
        terminal.wait_for(r"watch-1 +Waits +TERMINATED")
        assert terminal.interrupt() == 0
    # The last picture is left where the command was typed.
    assert re.search("watch-1 +Waits +TERMINATED", terminal.left)
    assert "Traceback" not in terminal.text


def test_it_ends_with_the_workflow(served: Served) -> None:
    served.start("Waits", "--id", "watched")
    watching = ("workflow", "show", "watched", "--watch", "--interval", "100ms")
    with OnTerminal(*watching, cwd=served.folder, engine=served.address) as terminal:
        terminal.wait_for("It waits for signal go")
        served.sched("workflow", "signal", "watched", "go", "--input", "42")
        assert terminal.wait() == 0
    assert re.search(r"Result +42", terminal.left)


def test_a_program_gets_a_line_for_each_change(served: Served) -> None:
    served.start("Waits", "--id", "lines-1")
    watching = ("workflow", "list", "--id", "lines-", "--watch", "--interval", "100ms")
    environment = {"SCHED_ENGINE_ADDRESS": served.address}
    with Running(*watching, "-o", "jsonl", cwd=served.folder, environment=environment) as running:
        running.wait_for('"lines-1"')
        served.start("Waits", "--id", "lines-2")
        running.wait_for('"lines-2"')
        served.sched("workflow", "terminate", "lines-1")
        running.wait_for("TERMINATED")
        running.interrupt_like_a_terminal()
        assert running.process.returncode == 0
    told = [json.loads(line) for line in running.output.splitlines()]
    served.sched("workflow", "terminate", "lines-2")
    ends = [(run["workflow_id"], run["status"]) for run in told if run["history_length"] != 1]
    assert list(dict.fromkeys(ends)) == [
        ("lines-1", "RUNNING"),
        ("lines-2", "RUNNING"),
        ("lines-1", "TERMINATED"),
    ]


def test_what_was_seen_stays_when_the_engine_is_lost(tmp_path: Path) -> None:
    first, address = start_dev(tmp_path, "--db", "state.db")
    watching = ("cluster", "status", "--watch", "--interval", "100ms")
    with first, OnTerminal(*watching, cwd=tmp_path, engine=address, columns=120) as terminal:
        terminal.wait_for("0 open")
        first.process.send_signal(signal.SIGKILL)
        terminal.wait_for(rf"No engine at {address}.*So it was at .*looking on")
        port = address.rpartition(":")[2]
        seen = len(terminal.text)
        with Running("dev", "--db", "state.db", "--port", port, cwd=tmp_path) as second:
            second.wait_for("engine ")
            terminal.wait_for(rf"(?s).{{{seen}}}.*Ctrl-C ends.*epoch 2")
            assert terminal.interrupt() == 0


@pytest.mark.parametrize("command", WATCHED, ids=lambda words: " ".join(words[:2]))
def test_it_is_refused_where_nothing_can_be_drawn(served: Served, command: tuple[str, ...]) -> None:
    done = served.sched(*command, "--watch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "stdout is none" in done.stderr
    assert "--output jsonl" in done.stderr
    done = served.sched(*command, "--watch", "-o", "json")
    assert (done.returncode, "use --output jsonl" in done.stderr) == (2, True)
    done = served.sched(*command, "--watch", "--interval", "1ms", "-o", "jsonl")
    assert (done.returncode, "the least is 100ms" in done.stderr) == (2, True)


def test_the_first_look_fails_as_without(tmp_path: Path) -> None:
    watching = ("workflow", "list", "--watch")
    with OnTerminal(*watching, cwd=tmp_path, engine="127.0.0.1:1") as terminal:
        assert terminal.wait() == 3
    assert "No engine at 127.0.0.1:1" in terminal.text
    assert LEAVE_SECOND_SCREEN not in terminal.raw


def test_a_quiet_command_draws_no_progress(served: Served) -> None:
    """Also on a terminal: neither what it does nor hints, but what was asked for."""
    for quiet in ((), ("--quiet",)):
        words = ("workflow", "start", "HelloWorld", "--input", "you", "--wait", *quiet)
        with OnTerminal(*words, cwd=served.folder, engine=served.address) as terminal:
            assert terminal.wait() == 0
        assert ("started" in terminal.text) is not bool(quiet)
        assert "Hello, you!" in terminal.text

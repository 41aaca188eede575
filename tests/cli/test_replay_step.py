"""`sched replay` with `--at`, `--break`, `--pdb` and `--step`, as people run it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.recorded import SHIP, SLEEP, Run, edit, folder, record, run_here
from tests.cli.support import SCHED, clean_environment
from tests.cli.test_replay import shape
from tests.docs.markdown import ROOT, titled

if TYPE_CHECKING:
    from subprocess import CompletedProcess

__all__ = ["folder", "run_here"]

PAGE = """\
wf-test at position 4 of 6: event 6 TimerScheduled, the code asks for it here

app.py
          17  async def order(ctx: WorkflowContext, number: str) -> str:
          18      receipt = await ctx.queue_activity(charge, number)
  ▶       19      await ctx.sleep(60)
          20      return receipt

Locals of order
  number   'A-1'
* receipt  'paid'

Awaits
▶ workflow  runs  app.py:19

Commands
▶     6  timer 60 s  app.py:19

Event
  {
    "seq": 2,
    "duration": 60.0,
    "call_site": "app.py:19"
  }
"""


CATCHES = """\
    try:
        await ctx.sleep(60)
    except Exception:
        print("caught")
        raise
"""


def without_margins(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def test_a_position_as_a_page(run_here: Run) -> None:
    done = run_here("replay", "order.json", "--at", "6")
    assert done.returncode == 0
    found = without_margins(done.stdout)
    shown = [line for line in found if not re.match(r"^ +16 ", line)]
    assert shown == without_margins(PAGE)


def test_a_position_as_json(run_here: Run) -> None:
    done = run_here("replay", "order.json", "--at", "6", "-o", "json")
    assert done.returncode == 0
    data = json.loads(done.stdout)
    assert (data["position"], data["phase"]) == (4, "command")
    assert data["event"]["attributes"]["duration"] == 60
    documented = json.loads(titled(ROOT / "docs" / "cli-output.md", "position").text)
    assert shape(data) == shape(documented)


def test_a_line(run_here: Run) -> None:
    done = run_here("replay", "order.json", "--break", "app.py:20", "-o", "jsonl")
    data = json.loads(done.stdout)
    assert (data["phase"], data["event"]) == ("line", None)
    assert data["frames"][0]["line"] == 20
    assert data["time"] > "2026-01-01T00:01:00"


def test_a_divergence_is_a_position(folder: Path, run_here: Run) -> None:
    edit(folder, SLEEP, SHIP)
    done = run_here("replay", "order.json", "--at", "6", "-o", "json")
    assert done.returncode == 1
    data = json.loads(done.stdout)
    assert data["phase"] == "divergence"
    assert data["divergence"]["current"]["what"] == "activity ship"
    page = run_here("replay", "order.json", "--at", "9").stdout
    assert "history says  timer 60 s" in page
    assert "code does     activity ship" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--at", "99"), "There is no event 99; the history has events 1 to 9."),
        (("--break", "app.py"), "'app.py' is no place in the code. Write it like app.py:42"),
        (("--break", "none.py:1"), "There is no file none.py"),
        (("--break", "app.py:999"), "app.py has no code at line 999 or below"),
        (("--break", "app.py:2"), "app.py:2 does not run in this history."),
        (("--step",), "--step needs a terminal, and there is none. --at EVENT"),
        (("--step", "--pdb"), "--step and --pdb are two ways to look"),
        (("--pdb", "-o", "json"), "--output goes with --at or --break alone"),
    ],
    ids=" ".join,
)
def test_what_cannot_be(run_here: Run, arguments: tuple[str, ...], message: str) -> None:
    done = run_here("replay", "order.json", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_it_is_for_one_history(folder: Path, run_here: Run) -> None:
    record(folder, "other.json", "A-2")
    done = run_here("replay", "order.json", "other.json", "--at", "1")
    assert done.returncode == 2
    assert "go with one history" in done.stderr


# The debugger


def debug(folder: Path, typed: str, *arguments: str) -> CompletedProcess[str]:
    return subprocess.run(
        [*SCHED, "replay", "order.json", "--pdb", *arguments],
        cwd=folder,
        env=clean_environment(),
        input=typed,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_the_debugger_stops_at_an_event_and_goes_on_over_awaits(folder: Path) -> None:
    done = debug(folder, "where\nnext\np receipt\nnext\nnext\n", "--at", "4")
    assert done.returncode == 0
    stops = re.findall(r"^(?:\(Pdb\) )*> .*app\.py\((\d+)\)order\(\)", done.stdout, re.MULTILINE)
    assert stops == ["18", "18", "19", "20"], "the second one is told by `where`"
    assert "'paid'" in done.stdout
    assert "sched_sdk" not in done.stdout
    assert "Event 4 is about to reach the code." in done.stderr


def test_the_debugger_stops_at_a_line(folder: Path) -> None:
    done = debug(folder, "p receipt\ncontinue\n", "--break", "app.py:20")
    assert "app.py(20)order()" in done.stdout
    assert "'paid'" in done.stdout
    assert "the code agrees with its history" in done.stderr


def test_the_debugger_stops_where_the_code_diverges(folder: Path) -> None:
    edit(folder, SLEEP, SHIP)
    done = debug(folder, "p receipt\nquit\n")
    assert done.returncode == 1
    assert f"-> {SHIP.strip()}" in done.stdout
    assert "'paid'" in done.stdout
    assert "history event 6 is timer 60 s" in done.stderr


def test_the_debugger_stops_where_an_exception_was_raised(folder: Path) -> None:
    edit(folder, SLEEP, "    raise ValueError(receipt)\n")
    done = debug(folder, "p receipt\nquit\n")
    assert done.returncode == 1
    assert "-> raise ValueError(receipt)" in done.stdout
    assert "The workflow function raised ValueError: paid" in done.stderr


def test_the_debugger_stops_where_the_code_stands_still(folder: Path) -> None:
    edit(folder, SLEEP, '    await ctx.wait_for_signal("never")\n')
    done = debug(folder, "p receipt\nquit\n")
    assert done.returncode == 1
    assert '-> await ctx.wait_for_signal("never")' in done.stdout
    assert "'paid'" in done.stdout


def test_quitting_the_debugger_leaves_the_code_alone(folder: Path) -> None:
    """The standard way to quit is an exception, which this code would catch."""
    edit(folder, SLEEP, CATCHES)
    done = debug(folder, "quit\n", "--at", "4")
    assert done.returncode == 0
    assert "caught" not in done.stdout


# A real terminal


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [*SCHED, *arguments],
            cwd=folder,
            env=clean_environment(TERM="xterm-256color", COLUMNS="80", LINES="24"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 20
        while text not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in {self.seen!r}"
            self._read()

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def end(self) -> int:
        """The exit code; what comes until then is read."""
        deadline = time.monotonic() + 20
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen!r}"
            self._read()
        os.close(self._master)
        return self._process.returncode

    def _read(self) -> None:
        if select.select([self._master], [], [], 0.05)[0]:
            try:
                self.seen += os.read(self._master, 65_536).decode(errors="replace")
            except OSError:  # the other side is closed
                time.sleep(0.01)

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            os.close(self._master)


def test_the_view_in_a_terminal(folder: Path) -> None:
    terminal = Terminal(folder, "replay", "order.json", "--step", "--at", "6")
    try:
        terminal.wait_for("TimerScheduled")
        terminal.type("n")
        terminal.wait_for("TimerFired")
        terminal.type("q")
        assert terminal.end() == 0
    finally:
        terminal.kill()


def test_the_debugger_in_a_terminal(folder: Path) -> None:
    terminal = Terminal(folder, "replay", "order.json", "--pdb", "--at", "4")
    try:
        terminal.wait_for("(Pdb) ")
        terminal.type("p number * 2\n")
        terminal.wait_for("'A-1A-1'")
        terminal.type("continue\n")
        assert terminal.end() == 0
    finally:
        terminal.kill()

"""`sched tui` as a command."""

from __future__ import annotations

from tests.cli.support import sched


def test_without_a_terminal_it_says_what_to_use_instead() -> None:
    done = sched("tui")
    assert done.returncode == 2
    assert done.stderr == (
        "error: sched tui needs a terminal. For programs: sched workflow list --output json\n"
    )

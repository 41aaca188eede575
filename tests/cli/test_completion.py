"""What the shells are offered for a line that somebody has begun to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.support import sched_in_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Served

SILENT = "127.0.0.1:1"


def offered(shell: str, line: str, engine: str, **variables: str) -> list[str]:
    """The names for the last word of the line, which may be empty."""
    words = line.split(" ")
    environment = {
        "_SCHED_COMPLETE": f"complete_{shell}",
        "SCHED_ENGINE_ADDRESS": engine,
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        **variables,
    }
    done = sched_in_process(environment=environment)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_ids_types_and_queues_of_the_engine(served: Served, shell: str) -> None:
    served.start("Waits", "--id", f"completed-{shell}")
    try:
        for line in ("sched workflow show", "sched why", "sched workflow list --id"):
            found = offered(shell, f"{line} completed-{shell[0]}", served.address)
            assert f"completed-{shell}" in " ".join(found), line
    finally:
        served.sched("workflow", "terminate", f"completed-{shell}")
    assert "HelloWorld" in " ".join(offered(shell, "sched workflow start Hel", served.address))
    assert "default" in " ".join(
        offered(shell, "sched workflow list --task-queue def", served.address)
    )


def test_the_engine_of_the_line_counts(served: Served) -> None:
    line = f"sched workflow start --engine {served.address} Hel"
    assert offered("bash", line, SILENT) == ["HelloWorld"]


def test_without_an_engine_nothing_is_offered_and_nothing_said() -> None:
    for line in ("sched why w", "sched workflow start H", "sched workflow list --task-queue d"):
        assert offered("bash", line, SILENT) == []


def test_statuses_and_profiles_need_no_engine(tmp_path: Path) -> None:
    assert offered("bash", "sched workflow list --status ru", SILENT) == ["running"]
    assert offered("bash", "sched workflow list --status RU", SILENT) == ["RUNNING"]
    file = tmp_path / "config.toml"
    file.write_text('[profiles.prod]\nengine = "a:1"\n')
    assert offered("bash", "sched config use p", SILENT, SCHED_CONFIG=str(file)) == ["prod"]
    file.write_text("broken")
    assert offered("bash", "sched config use p", SILENT, SCHED_CONFIG=str(file)) == []

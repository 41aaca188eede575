"""What the shells are offered for a line that somebody has begun to type."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.support import clean_environment, sched_in_process

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


def test_the_profile_of_the_line_counts(served: Served, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[profiles.here]\nengine = "{served.address}"\n')
    for line in (
        "sched --profile here workflow start Hel",
        "sched workflow start --profile here Hel",
        "sched workflow --quiet start --profile=here Hel",
    ):
        found = offered("bash", line, SILENT, SCHED_CONFIG=str(file))
        assert found == ["HelloWorld"], line
    found = offered("bash", "sched workflow list --profile h", SILENT, SCHED_CONFIG=str(file))
    assert found == ["here"]


def test_options_that_stand_anywhere_are_offered_anywhere() -> None:
    assert offered("bash", "sched workflow show --q", SILENT) == ["--quiet"]
    assert offered("bash", "sched --no-", SILENT) == ["--no-color"]


def test_what_takes_histories_is_offered_ids_and_files(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captured.json").write_text("{}")
    (tmp_path / "captures").mkdir()
    (tmp_path / "captures" / "one.json").write_text("{}")
    (tmp_path / "cap.txt").write_text("")
    served.start("Waits", "--id", "capture-me")
    try:
        for command in ("replay", "verify", "diff", "diff capture-me"):
            found = offered("bash", f"sched {command} cap", served.address)
            assert found == ["captured.json", "captures/", "capture-me"], command
        assert offered("bash", "sched capture cap", served.address) == ["capture-me"]
    finally:
        served.sched("workflow", "terminate", "capture-me")
    assert offered("bash", "sched replay captures/o", SILENT) == ["captures/one.json"]


def test_the_builds_of_workers(served: Served) -> None:
    (build,) = offered("bash", "sched workflow list --build ", served.address)
    assert len(build) == 12


def test_completing_loads_little(served: Served) -> None:
    """The client alone takes longer to load than a person wants to wait."""
    program = (
        "import sys\nfrom sched_cli.main import run\n"
        "try:\n    run([])\nexcept SystemExit:\n    pass\n"
        "print('\\n', *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=clean_environment(
            _SCHED_COMPLETE="complete_bash",
            COMP_WORDS="sched workflow start Hel",
            COMP_CWORD="3",
            SCHED_ENGINE_ADDRESS=served.address,
        ),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    offered_names, _, modules = done.stdout.partition("\n")
    assert offered_names == "HelloWorld"
    assert "grpc" in modules.split()
    assert not {"pydantic", "sched_sdk._client", "msgspec", "rich"} & set(modules.split())


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

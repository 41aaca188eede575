"""What a command imports decides how fast it starts, so that is what is tested;
the clock only has the last word."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import typer

from sched_cli.global_options import EVERYWHERE
from sched_cli.main import build_app
from tests.cli.support import clean_environment

_LIST_MODULES = """
import json, sys
from sched_cli.main import run
try:
    run(sys.argv[1:])
except SystemExit:
    pass
print("\\n" + json.dumps(sorted(sys.modules)))
"""
_NEVER = {
    "sched_server",
    "textual",
    "starlette",
    "watchfiles",
    "uvloop",
    "anyio",
    "prometheus_client",
    "pydantic",
}


def _modules_of(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _LIST_MODULES, *arguments],
        env=clean_environment(SCHED_ENGINE_ADDRESS="127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["workflow", "--help"], ["dev", "--help"], ["tui", "--help"], ["-h"]]
)
def test_help_imports_next_to_nothing(arguments: list[str]) -> None:
    modules = _modules_of(*arguments)
    heavy = _NEVER | {"rich", "grpc", "google.protobuf", "sched_sdk", "asyncio", "msgspec"}
    assert not heavy & modules


def test_a_workflow_command_imports_the_client_only() -> None:
    modules = _modules_of("workflow", "list")
    assert "grpc" in modules, "the command did get as far as connecting"
    assert not _NEVER & modules
    for part in ("_replay", "_worker", "_context"):
        assert f"sched_sdk.{part}" not in modules


def test_every_option_has_a_variable() -> None:
    """`--input` and the options of every command read their own (see parse_inputs and
    global_options); the rest belongs to typer."""
    without = []

    def look(path: str, command: Any) -> None:
        for parameter in command.params:
            names = set(parameter.opts)
            if parameter.param_type_name == "option" and not parameter.envvar:
                without.append((path, *sorted(names)))
        for name, inner in getattr(command, "commands", {}).items():
            look(f"{path} {name}", inner)

    look("sched", typer.main.get_command(build_app()))
    assert [found for found in without if "--input" not in found] == [
        *[("sched", option) for option in EVERYWHERE],
        ("sched", "--install-completion"),
        ("sched", "--show-completion"),
    ]


def test_a_named_command_is_the_only_one_that_is_described() -> None:
    described = {
        module
        for module in _modules_of("tui", "--help")
        if module.startswith("sched_cli.commands.")
    }
    assert described == {"sched_cli.commands.tui"}


def test_described_alone_a_command_is_the_same() -> None:
    commands = typer.main.get_command(build_app()).commands
    for name, command in commands.items():
        alone = typer.main.get_command(build_app(only=name)).commands
        assert list(alone) == [name]
        assert alone[name].get_help(typer.Context(alone[name])) == command.get_help(
            typer.Context(command)
        )

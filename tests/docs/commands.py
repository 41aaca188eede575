"""The `sched …` command lines that the documentation shows, and the real app's parser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from sched_cli import global_options
from sched_cli.main import build_app
from tests.docs.markdown import ROOT, blocks_of, inline_code_of, pages, prose_of

# A page about plans shows commands that are not there yet.
_PLANS = ROOT / "docs" / "roadmap.md"
_SHELLS = ("console", "sh", "bash", "shell", "")
# What follows is for the shell.
_AFTER = re.compile(r" (?:&&|\|(?!\S)|;|>) ")
_COMMAND = re.compile(r"^\s*(?:\$ )?(sched(?: .*)?)$")


class UnusableCommandError(Exception):
    """The app does not take a command line."""


@cache
def app() -> TyperGroup:
    """The command line as typer parses it."""
    command = typer.main.get_command(build_app())
    assert isinstance(command, TyperGroup)
    return command


def shown_commands() -> Iterator[tuple[str, str]]:
    """Every command line, and where it stands."""
    for page in pages():
        if page != _PLANS:
            for number, command in _commands_of(page):
                yield f"{page.relative_to(ROOT)}:{number}", _AFTER.split(command)[0]


def _commands_of(page: Path) -> Iterator[tuple[int, str]]:
    for block in blocks_of(page):
        if block.language in _SHELLS:
            yield from _in_lines(enumerate(block.text.splitlines(), start=block.line))
    yield from _in_lines((n, line) for n, line in prose_of(page) if line.startswith("    "))
    yield from ((n, code) for n, code in inline_code_of(page) if code.startswith("sched "))


def _in_lines(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for number, line in lines:
        found = _COMMAND.match(line)
        if found and not found[1].startswith(("sched 0", "sched --")):
            yield number, found[1]


def check(line: str) -> None:
    """Raises UnusableCommandError when the app would not take this line. A command
    without anything behind it is only named, a line with `…` or `[…]` is a pattern:
    the command must exist."""
    words = shlex.split(line, comments=True)[1:]
    command: Any = app()
    path = ["sched"]
    while (
        isinstance(command, TyperGroup)
        and words
        and not words[0].startswith(("-", "[", "…", "COMMAND"))
    ):
        path.append(words.pop(0))
        command = command.commands.get(path[-1])
        if command is None:
            raise UnusableCommandError(f"there is no command {' '.join(path)}")
    if isinstance(command, TyperGroup) or not words:
        return
    if any("…" in word or word.startswith("[") or word == "|" for word in words):
        return
    try:
        command.make_context(" ".join(path), global_options.take(words)[0])
    except typer.Exit:  # --help
        return
    except Exception as error:
        raise UnusableCommandError(f"{' '.join(path)}: {error}") from error


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Every command and its path ("workflow start")."""
    yield from _commands("", app())


def options() -> Iterator[tuple[str, TyperOption]]:
    """Every option of every command, with the command's path."""
    for path, command in commands():
        for parameter in command.params:
            if isinstance(parameter, TyperOption) and "--help" not in parameter.opts:
                yield path, parameter


def _commands(path: str, command: Any) -> Iterator[tuple[str, TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            yield from _commands(f"{path} {name}".strip(), child)
        return
    assert isinstance(command, TyperCommand)
    yield path, command

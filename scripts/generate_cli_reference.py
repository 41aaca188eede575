"""Write docs/cli.md, the reference of the command line, from the commands themselves.

The page is committed so that it can be read without anything installed; a test
makes it anew and compares.

usage: generate_cli_reference.py [OUTPUT_FILE]
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from sched_cli.errors import EXIT_CODES
from sched_cli.global_options import EVERYWHERE
from sched_cli.main import build_app
from sched_cli.parser import examples_of, usage

TARGET = Path(__file__).resolve().parent.parent / "docs" / "cli.md"

_HEAD = """\
# Command line

<!-- Made from the commands by `make reference`. Change them, not this page. -->

Every command, with what `--help` says of it. [Using the command line](guide/command-line.md) tells
how to write values and what commands print for people; [output for programs](cli-output.md) has the
JSON of every command.
"""

# What else there is to read about a command.
_MORE = {
    "init": ("The starters", "guide.md#in-five-minutes"),
    "dev": ("A takeover at your desk", "guide/command-line.md#sched-dev"),
    "worker": ("Workers and reload", "guide/workers-and-reload.md"),
    "check": ("The rules, and how to silence one", "guide/checking.md"),
    "workflow reset": ("What a reset keeps", "guide/command-line.md#reset-and-fork"),
    "workflow fork": ("What a fork keeps", "guide/command-line.md#reset-and-fork"),
    "workflow signal": ("Signals", "guide/signals-and-timers.md"),
    "workflow cancel": ("Cancellation", "guide/cancellation.md"),
    "workflow terminate": ("Cancellation", "guide/cancellation.md"),
    "workflow query": ("Queries", "guide/queries.md"),
    "workflow stack": ("Queries", "guide/queries.md"),
    "workflow show": ("The picture", "guide/command-line.md#show"),
    "why": ("What it can say", "cli-output.md#kinds-of-reasons"),
    "tui": ("The browser", "guide/tui.md"),
    "replay": ("Replay debugging", "guide/replay.md"),
    "verify": ("Before a deployment", "guide/replay.md"),
    "diff": ("How runs are aligned", "guide/command-line.md#sched-diff"),
    "capture": ("Captured histories", "capture.md"),
    "engine": ("Running engines", "guide/command-line.md#sched-engine"),
    "migrate": ("Stores and versions", "guide/command-line.md#sched-migrate"),
    "cluster status": ("The lines it prints", "guide/command-line.md#sched-cluster"),
    "config": ("Which engine counts", "guide/command-line.md#sched-config"),
    "time advance": ("What moves and what does not", "guide/command-line.md#sched-time"),
    "doctor": ("Every check", "guide/command-line.md#sched-doctor"),
}


def reference() -> str:
    """The page."""
    app = typer.main.get_command(build_app())
    commands = list(_walk((), app))
    parts = [_HEAD, *_everywhere(), *_exit_codes()]
    for path, command in commands:
        parts += _section(path, command)
    return "\n".join([*parts, *_variables(commands)]).rstrip() + "\n"


def _walk(path: tuple[str, ...], group: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, TyperGroup):
            yield from _walk((*path, name), command)


def _everywhere() -> Iterator[str]:
    yield "## Options of every command\n"
    yield "They may stand anywhere on the line.\n"
    values = {"--profile": " NAME"}
    rows = [
        (f"`{option}{values.get(option, '')}`", f"`{variable}`", text)
        for option, (variable, text) in EVERYWHERE.items()
    ]
    rows.append(("`-h`, `--help`", "", "Explain the command, with examples."))
    yield _table(("option", "variable", "meaning"), rows)


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n"
    yield _table(("code", "meaning"), [(str(code), text) for code, text in EXIT_CODES.items()])


def _section(path: tuple[str, ...], command: Any) -> Iterator[str]:
    yield f"{'#' * (1 + len(path))} sched {' '.join(path)}\n"
    summary, *more = command.help.strip().split("\n\n")
    yield " ".join(summary.split()) + "\n"
    yield f"    sched {' '.join(path)} {usage(command)}\n"
    for paragraph in more:
        yield " ".join(paragraph.split()) + "\n"
    if isinstance(command, TyperGroup):
        rows = [
            (f"[`{name}`](#sched-{'-'.join(path)}-{name})", _first(each.help))
            for name, each in command.commands.items()
        ]
        yield _table(("command", "what it does"), rows)
    else:
        yield from _parameters(command)
        lines = "\n".join(f"$ {line}" for line in examples_of(command))
        yield f"```console\n{lines}\n```\n"
    links = [_MORE[" ".join(path)]] if " ".join(path) in _MORE else []
    if any(
        parameter.name == "output" and parameter.metavar is None for parameter in command.params
    ):
        links.append(("Its JSON", f"cli-output.md#{'-'.join(path)}"))
    if links:
        yield f"{', '.join(f'[{title}]({target})' for title, target in links)}.\n"


def _first(text: str) -> str:
    return text.strip().split("\n\n")[0].replace("\n", " ")


def _parameters(command: Any) -> Iterator[str]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    if arguments:
        rows = [
            (f"`{one.metavar}`" if one.required else f"`[{one.metavar.strip('[]')}]`", one.help)
            for one in arguments
        ]
        yield _table(("argument", "meaning"), rows)
    options = [one for one in command.params if isinstance(one, TyperOption)]
    shown = [one for one in options if "--help" not in one.opts]
    if shown:
        rows = [(_spelling(one), _help(one), _default(one)) for one in shown]
        yield _table(("option", "meaning", "default"), rows)


def _spelling(option: Any) -> str:
    names = sorted(option.opts, key=len, reverse=True)
    first = f"{names[0]} {_value(option)}".strip()
    others = [*names[1:], *option.secondary_opts]
    return ", ".join(f"`{name}`" for name in (first, *others)).replace("|", "\\|")


def _value(option: Any) -> str:
    if option.is_flag:
        return ""
    return str(option.metavar or option.display_type(None).strip("<>"))


def _help(option: Any) -> str:
    text = str(option.help).split("  [env var")[0].replace("|", "\\|")
    return f"{text} Required." if option.required else text


def _default(option: Any) -> str:
    value = getattr(option.default, "value", option.default)
    if option.required or (option.is_flag and not option.secondary_opts) or value in (None, ""):
        return ""
    return f"`{'on' if value else 'off'}`" if option.is_flag else f"`{value}`"


def _variables(commands: list[tuple[tuple[str, ...], Any]]) -> Iterator[str]:
    """Every variable, what it stands for, and where."""
    found: dict[tuple[str, str], list[str]] = {}
    for path, command in commands:
        for option in command.params:
            if isinstance(option, TyperOption) and "--help" not in option.opts:
                name = max(option.opts, key=len)
                given = [option.envvar] if isinstance(option.envvar, str) else option.envvar
                variables = ", ".join(f"`{one}`" for one in given or ["SCHED_INPUT"])
                found.setdefault((variables, f"`{name}`"), []).append(f"`{' '.join(path)}`")
    rows = [(variables, name, ", ".join(where)) for (variables, name), where in found.items()]
    yield "## Environment variables\n"
    yield "Every option has one; a value on the command line wins. `SCHED_INPUT` holds one value.\n"
    yield _table(("variable", "option", "commands"), sorted(rows))
    yield (
        "Without an option of a command: the variables of the "
        "[options of every command](#options-of-every-command), `SCHED_CONFIG` (the "
        "file of [profiles](#sched-config)), and for programs that serve `SCHED_LOG_LEVEL` "
        "(`debug`, `info`, `warning`, `error`) and `SCHED_LOG_FORMAT` (`text`, `json`).\n"
    )


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [titles, tuple("---" for _ in titles), *rows]
    text = ("| " + " | ".join(cells) + " |" for cells in lines)
    return "\n".join(" ".join(line.split()) for line in text) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.write_text(reference(), encoding="utf-8")

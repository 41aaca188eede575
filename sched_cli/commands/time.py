"""`sched time advance`: move the clock of a dev server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.options import DEFAULT_ENGINE, EngineOption, OutputFormat, OutputOption
from sched_cli.parser import add, examples, noun

if TYPE_CHECKING:
    from datetime import timedelta


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = noun("Move the clock of a dev server.")
    add(app, "advance", advance)
    return app


@examples(
    "sched time advance 7d",
    "sched time advance 1h30m --patience 1m",
)
def advance(
    by: Annotated[str, typer.Argument(metavar="DURATION", help="How far: 30s, 1h30m, 7d.")],
    patience: Annotated[
        str,
        typer.Option(
            "--patience",
            metavar="DURATION",
            envvar="SCHED_PATIENCE",
            help="How long work under way may take before time stops moving.",
        ),
    ] = "10s",
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Move the clock of a dev server ahead.

    Timers fire as if the time had passed, and histories show the new times. Time goes
    from one due time to the next, and waits for what follows from each.
    """
    from sched_cli import loops
    from sched_cli.errors import EXIT_FAILED
    from sched_cli.moving_time import advance_time
    from sched_cli.render import console, plain
    from sched_cli.render.time_advance import advance_lines

    length, waits = _duration(by, "DURATION"), _duration(patience, "--patience")
    moved = loops.run_once(advance_time(engine, length, waits))
    if output is OutputFormat.TABLE:
        for line in advance_lines(moved):
            console.data().print(line, soft_wrap=True)
    elif output is OutputFormat.JSON:
        plain.print_json(moved)
    else:
        plain.print_json_line(moved)
    if moved.stopped_by:
        raise typer.Exit(EXIT_FAILED)


def _duration(text: str, name: str) -> timedelta:
    from sched_cli.errors import UsageError
    from sched_cli.values import parse_duration

    length = parse_duration(text, name)
    if not length:
        raise UsageError(f"{name} {text!r} is no time at all. Write 30s, 1h30m or 7d.")
    return length

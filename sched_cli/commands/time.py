"""`sched time advance`: move the clock of a dev server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.options import DEFAULT_ENGINE, EngineOption, OutputFormat, OutputOption

if TYPE_CHECKING:
    from datetime import timedelta


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = typer.Typer(
        help="Move the clock of a dev server.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    # Or typer would make its only command the noun itself.
    app.callback()(_no_options)
    app.command("advance")(advance)
    return app


def _no_options() -> None:
    pass


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
    """Move the clock of a dev server ahead; timers fire as if the time had passed.

    Time goes from one due time to the next, and waits for what follows from each.
    """
    import asyncio

    from sched_cli.errors import EXIT_FAILED
    from sched_cli.moving_time import advance_time
    from sched_cli.render import console, plain
    from sched_cli.render.time_advance import advance_lines

    length, waits = _duration(by, "DURATION"), _duration(patience, "--patience")
    moved = asyncio.run(advance_time(engine, length, waits))
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

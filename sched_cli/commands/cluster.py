"""`sched cluster status`: who leads, who waits, who works."""

from __future__ import annotations

import typer

from sched_cli.options import DEFAULT_ENGINE, EngineOption, OutputFormat, OutputOption


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = typer.Typer(
        help="How the engines are, and who works for them.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    # Or typer would make its only command the noun itself.
    app.callback()(_no_options)
    app.command("status")(status)
    return app


def _no_options() -> None:
    pass


def status(
    output: OutputOption = OutputFormat.TABLE, engine: EngineOption = DEFAULT_ENGINE
) -> None:
    """Show leader, standbys, workers, what waits, and what is wrong."""
    import asyncio
    from datetime import UTC, datetime

    from sched_cli.cluster import find_status
    from sched_cli.render import console, plain
    from sched_cli.render.cluster import print_cluster

    found = asyncio.run(find_status(engine))
    if output is OutputFormat.TABLE:
        print_cluster(console.data(), found, datetime.now(UTC))
    elif output is OutputFormat.JSON:
        plain.print_json(found)
    else:
        plain.print_json_line(found)

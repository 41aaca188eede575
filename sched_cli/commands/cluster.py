"""`sched cluster status`: who leads, who waits, who works."""

from __future__ import annotations

import typer

from sched_cli.options import (
    DEFAULT_ENGINE,
    DEFAULT_INTERVAL,
    EngineOption,
    IntervalOption,
    OutputFormat,
    OutputOption,
    WatchOption,
)
from sched_cli.parser import add, examples, noun


def build_commands() -> typer.Typer:
    """The commands of the noun."""
    app = noun("How the engines are, and who works for them.")
    add(app, "status", status)
    return app


@examples(
    "sched cluster status",
    "sched cluster status --watch",
    "sched cluster status --output json",
)
def status(
    watch: WatchOption = False,
    interval: IntervalOption = DEFAULT_INTERVAL,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Show leader, standbys, workers, what waits, and what is wrong."""
    from sched_cli import loops
    from sched_cli.cluster import find_status
    from sched_cli.render import console, plain
    from sched_cli.render.cluster import cluster_parts

    if watch:
        from sched_cli import watching

        subject = watching.Subject(
            look=lambda: find_status(engine),
            draw=lambda found, _: cluster_parts(found),
            values=lambda found: {"": found},
        )
        watching.watch(subject, output, interval, watching.Engine(engine))
        return
    found = loops.run_once(find_status(engine))
    if output is OutputFormat.TABLE:
        for part in cluster_parts(found):
            console.data().print(part)
    else:
        plain.print_value(found, output)

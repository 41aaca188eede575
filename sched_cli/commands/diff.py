"""`sched diff`: two runs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from sched_cli import completion
from sched_cli.options import DEFAULT_ENGINE, EngineOption, OutputFormat, OutputOption
from sched_cli.parser import examples

_METAVAR = "ID|RUN|FILE"
_HELP = "A workflow id, a run id, the beginning of one, or a captured history."


@examples(
    "sched diff order-7 order-8",
    "sched diff order-7 order-8 --all",
    "sched diff order-7.json order-8 --output json",
)
def diff(
    left: Annotated[
        str, typer.Argument(metavar=_METAVAR, help=_HELP, autocompletion=completion.histories)
    ],
    right: Annotated[
        str,
        typer.Argument(
            metavar=_METAVAR, help="The other one.", autocompletion=completion.histories
        ),
    ],
    everything: Annotated[
        bool,
        typer.Option("--all", envvar="SCHED_ALL", help="Also every command that is the same."),
    ] = False,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Compare what two runs did, and what came of it.

    Exit code 0 if they did the same, 1 if not.
    """
    from sched_cli.diffing.comparison import compare
    from sched_cli.diffing.selection import read_both
    from sched_cli.diffing.timeline import timeline_of

    first, second = read_both(left, right, engine)
    comparison = compare(timeline_of(first), timeline_of(second))
    if output is OutputFormat.TABLE:
        from sched_cli.render import console
        from sched_cli.render.diff import diff_parts

        for part in diff_parts(comparison, everything=everything):
            console.data().print(part)
    else:
        from sched_cli.render import plain
        from sched_cli.render.diff_json import as_json

        show = plain.print_json if output is OutputFormat.JSON else plain.print_json_line
        show(as_json(comparison))
    if not comparison.equal:
        raise typer.Exit(1)

"""`sched tui`: browse workflows in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sched_cli.options import DEFAULT_ENGINE, AppOption, EngineOption
from sched_cli.parser import examples

_OBJECTS_BETWEEN_COLLECTIONS = 10_000


@examples(
    "sched tui",
    "sched tui --light",
    "sched tui --app app.py --log tui.log",
    "sched tui --engine engine-a.example:50051,engine-b.example:50051",
)
def tui(
    light: Annotated[
        bool,
        typer.Option("--light", envvar="SCHED_TUI_LIGHT", help="Begin with the light theme."),
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            "--log",
            metavar="FILE",
            envvar="SCHED_TUI_LOG",
            show_default=False,
            help="Append tracebacks of errors of the browser itself to this file.",
        ),
    ] = None,
    app: AppOption = None,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Browse workflows, their histories, workers and the cluster.

    Live, in a terminal of at least 80 columns and 24 lines; ? shows the keys. An engine
    that is away is tried again until it is back. --app is the code that p steps through.
    """
    import gc
    import sys

    from sched_cli.errors import UsageError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "sched tui needs a terminal. For programs: sched workflow list --output json"
        )
    # What a start makes is very much, and stays: looking for garbage in it every 700
    # objects, as Python does, is some 25 of 350 ms.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    from sched_cli import interrupts
    from sched_cli.tui.browser.app import Browser

    interrupts.check()
    Browser(engine, light=light, log=log, app_targets=app or ()).run()

"""`sched tui`: browse workflows in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sched_cli.options import DEFAULT_ENGINE, AppOption, EngineOption


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
    """Browse workflows, their histories, workers and the cluster, live."""
    import sys

    from sched_cli.errors import UsageError

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "sched tui needs a terminal. For programs: sched workflow list --output json"
        )
    from sched_cli.tui.browser.app import Browser

    Browser(engine, light=light, log=log, app_targets=app or ()).run()

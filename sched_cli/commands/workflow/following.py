"""`sched workflow result | history`: wait for what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.options import (
    DEFAULT_ENGINE,
    EngineOption,
    OutputFormat,
    OutputOption,
    WorkflowIdArgument,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sched_sdk._client import WorkflowHandle


@examples(
    "sched workflow result hello-1",
    "sched workflow result hello-1 --timeout 30s --output json",
)
def result(
    workflow_id: WorkflowIdArgument,
    timeout: Annotated[
        str | None,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            envvar="SCHED_TIMEOUT",
            help="Wait no longer than this (30s, 5m); without limit by default.",
        ),
    ] = None,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Wait until a workflow has ended and print its result."""
    import asyncio

    from sched_cli.connection import with_workflow
    from sched_cli.errors import CliError
    from sched_cli.values import parse_duration
    from sched_cli.waiting import print_result

    limit = parse_duration(timeout, "--timeout")

    async def wait(handle: WorkflowHandle[object]) -> None:
        async with asyncio.timeout(limit.total_seconds() if limit else None):
            await print_result(handle, output)

    try:
        with_workflow(engine, workflow_id, wait)
    except TimeoutError:
        raise CliError(
            f"{workflow_id} has not ended within {timeout}. "
            f"What it waits for: sched workflow show {workflow_id}"
        ) from None


@examples(
    "sched workflow history order-7",
    "sched workflow history hello-1 --follow",
    "sched workflow history order-7 --after 2 --output jsonl",
)
def history(
    workflow_id: WorkflowIdArgument,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", envvar="SCHED_FOLLOW", help="Go on until the workflow has ended."
        ),
    ] = False,
    after: Annotated[
        int,
        typer.Option(
            "--after", metavar="EVENT", min=0, envvar="SCHED_AFTER", help="Only later events."
        ),
    ] = 0,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Show what happened to a workflow, event by event."""
    from sched_cli.connection import with_workflow
    from sched_cli.waiting import print_history

    def read(handle: WorkflowHandle[object]) -> Awaitable[None]:
        return print_history(handle, output, after=after, follow=follow)

    with_workflow(engine, workflow_id, read)

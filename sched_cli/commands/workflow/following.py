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

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sched_sdk._client import Client


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

    from sched_cli.connection import on_workflow, with_client
    from sched_cli.errors import CliError
    from sched_cli.values import parse_duration
    from sched_cli.waiting import print_result

    limit = parse_duration(timeout, "--timeout")

    async def use(client: Client) -> None:
        def wait(found: str) -> Awaitable[None]:
            return print_result(client.workflow(found), output)

        async with asyncio.timeout(limit.total_seconds() if limit else None):
            await on_workflow(client, workflow_id, wait)

    try:
        with_client(engine, use)
    except TimeoutError:
        raise CliError(
            f"{workflow_id} has not ended within {timeout}. "
            f"What it waits for: sched workflow show {workflow_id}"
        ) from None


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
    from sched_cli.connection import on_workflow, with_client
    from sched_cli.waiting import print_history

    async def use(client: Client) -> None:
        def read(found: str) -> Awaitable[None]:
            return print_history(client.workflow(found), output, after=after, follow=follow)

        await on_workflow(client, workflow_id, read)

    with_client(engine, use)

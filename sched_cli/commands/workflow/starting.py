"""`sched workflow start`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sched_cli import completion
from sched_cli.options import (
    DEFAULT_ENGINE,
    EngineOption,
    InputsOption,
    OutputFormat,
    OutputOption,
    TaskQueueOption,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from sched_sdk._client import Client, WorkflowHandle


class IdConflict(StrEnum):
    """What to do when a workflow with the id is running already."""

    FAIL = "fail"
    USE_EXISTING = "use_existing"
    TERMINATE_EXISTING = "terminate_existing"


@examples(
    "sched workflow start Order --input A-7",
    "sched workflow start Order --input A-7 --id order-7 --id-conflict use_existing",
    "sched workflow start HelloWorld --input world --wait",
    'sched workflow start Transfer --input 100 --input \'{"to": "ops"}\' --follow',
)
def start(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="The workflow's name.",
            autocompletion=completion.workflow_types,
        ),
    ],
    inputs: InputsOption = None,
    workflow_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="ID",
            envvar="SCHED_WORKFLOW_ID",
            help="The workflow's id, if you choose.",
        ),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", "-w", envvar="SCHED_WAIT", help="Wait, and print the result."),
    ] = False,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", envvar="SCHED_FOLLOW", help="The same, showing the history grow."
        ),
    ] = False,
    task_queue: TaskQueueOption = "default",
    execution_timeout: Annotated[
        str | None,
        typer.Option(
            "--execution-timeout",
            metavar="DURATION",
            envvar="SCHED_EXECUTION_TIMEOUT",
            help="End it as TIMED_OUT after this long (30s, 5m, 1h30m).",
        ),
    ] = None,
    start_delay: Annotated[
        str | None,
        typer.Option(
            "--start-delay",
            metavar="DURATION",
            envvar="SCHED_START_DELAY",
            help="Begin only after this long.",
        ),
    ] = None,
    id_conflict: Annotated[
        IdConflict,
        typer.Option(
            "--id-conflict",
            envvar="SCHED_ID_CONFLICT",
            help="What to do when a workflow with this id is running.",
        ),
    ] = IdConflict.FAIL,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Start a workflow. Prints its id, or with --wait its result.

    With --wait the exit code is 1 if it did not complete.
    """
    from sched_cli.connection import with_client
    from sched_cli.values import parse_duration, parse_inputs

    arguments = parse_inputs(inputs)
    options: dict[str, Any] = {
        "id": workflow_id,
        "task_queue": task_queue,
        "execution_timeout": parse_duration(execution_timeout, "--execution-timeout"),
        "start_delay": parse_duration(start_delay, "--start-delay"),
        "id_conflict": id_conflict.value,
    }

    async def use(client: Client) -> None:
        handle = await client.start_workflow(name, *arguments, **options)
        if not (wait or follow):
            _print_started(handle, output)
        await _tell_if_nobody_serves(client, handle, name, waits=wait or follow)
        if wait or follow:
            await _wait(handle, output, follow=follow)

    with_client(engine, use)


async def _wait(handle: WorkflowHandle[Any], output: OutputFormat, *, follow: bool) -> None:
    from sched_cli.render import console
    from sched_cli.waiting import print_result, show_events

    console.hint(f"started {handle.id}")
    if follow:
        await show_events(handle, console.messages(), follow=True)
    await print_result(handle, output)


async def _tell_if_nobody_serves(
    client: Client, handle: WorkflowHandle[Any], name: str, *, waits: bool
) -> None:
    """A type that nobody serves is taken, since its workers may be on their way; or it is
    a typo. Whoever waits is told the rest while it lasts."""
    from sched_cli.render import console
    from sched_cli.render.why import reasons
    from sched_cli.suggesting import similar_queue, similar_type

    if console.is_quiet():
        return
    found = reasons(await handle.describe(), client.cluster_time())
    unserved = [one for one in found if one.kind in ("no_worker", "workflow_not_served")]
    if unserved:
        like = await similar_type(client, name)
        if like:
            console.print_warning(f"No worker serves workflow type {name!r}.{like}")
        elif not waits:
            queue = (await handle.describe()).info.task_queue
            meant = await similar_queue(client, queue)
            console.print_warning(
                f"No worker takes work from task queue {queue!r}.{meant}"
                if meant
                else unserved[0].sentence
            )


def _print_started(handle: WorkflowHandle[Any], output: OutputFormat) -> None:
    from sched_cli.render import console, plain

    ids = {"workflow_id": handle.id, "run_id": handle.run_id}
    if output is OutputFormat.JSON:
        plain.print_json(ids)
    elif output is OutputFormat.JSONL:
        plain.print_json_line(ids)
    else:
        sys.stdout.write(f"{handle.id}\n")
        sys.stdout.flush()
        console.hint(f"Its result: sched workflow result {handle.id}")

"""`sched workflow list | count`: how things stand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli import completion
from sched_cli.options import (
    DEFAULT_ENGINE,
    DEFAULT_INTERVAL,
    EngineOption,
    IntervalOption,
    OutputFormat,
    OutputOption,
    WatchOption,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime
    from typing import TypedDict

    from rich.console import RenderableType

    from sched_sdk._client import Client
    from sched_sdk._client.models import WorkflowCount, WorkflowInfo

    class Filters(TypedDict):
        """What `list_workflows` and `count_workflows` of the client take."""

        status: list[str] | None
        workflow_type: str | None
        task_queue: str | None
        id_prefix: str | None
        build_id: str | None


NO_WORKFLOWS = "There are no such workflows."
# Lists that are longer are worth a count, to say of how many something is read.
_LONG = 1_000

StatusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        envvar="SCHED_STATUS",
        autocompletion=completion.statuses,
        help="Only those that are RUNNING, COMPLETED, FAILED …; repeatable.",
    ),
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="NAME",
        envvar="SCHED_TYPE",
        help="Only this workflow type.",
        autocompletion=completion.workflow_types,
    ),
]
FilterQueueOption = Annotated[
    str | None,
    # Not the variable of the same option elsewhere, which says where work goes.
    typer.Option(
        "--task-queue",
        metavar="NAME",
        envvar="SCHED_FILTER_TASK_QUEUE",
        autocompletion=completion.task_queues,
        help="Only those of this task queue.",
    ),
]
IdPrefixOption = Annotated[
    str | None,
    typer.Option(
        "--id",
        metavar="PREFIX",
        envvar="SCHED_ID_PREFIX",
        help="Only ids that begin with this.",
        autocompletion=completion.workflow_ids,
    ),
]
BuildOption = Annotated[
    str | None,
    typer.Option(
        "--build",
        metavar="BUILD_ID",
        envvar="SCHED_FILTER_BUILD",
        autocompletion=completion.build_ids,
        help="Only those whose code was last run by a worker of this build.",
    ),
]


@examples(
    "sched workflow list",
    "sched workflow list --status failed,timed_out --type Order --limit 100",
    "sched workflow list --id order- --watch",
    "sched workflow list --output jsonl",
)
def list_workflows(
    status: StatusOption = None,
    workflow_type: TypeOption = None,
    task_queue: FilterQueueOption = None,
    id_prefix: IdPrefixOption = None,
    build: BuildOption = None,
    limit: Annotated[
        int,
        typer.Option("--limit", metavar="N", min=1, envvar="SCHED_LIMIT", help="How many at most."),
    ] = 20,
    watch: WatchOption = False,
    interval: IntervalOption = DEFAULT_INTERVAL,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """List workflows, the newest first."""
    from sched_cli.connection import with_client

    filters = filters_of(status, workflow_type, task_queue, id_prefix, build)

    async def read(client: Client) -> tuple[list[WorkflowInfo], datetime]:
        # One more than is shown tells whether there are more.
        listed = client.list_workflows(
            **filters,
            limit=limit + 1,
            with_last_event=output is not OutputFormat.TABLE,
            with_details=True,
        )
        return [run async for run in listed], client.cluster_time()

    if watch:
        _watch_list(read, limit, output, interval, engine)
        return
    found = with_client(engine, lambda client: _list_once(client, filters, limit, output))
    from sched_cli.render import console

    if not found and (workflow_type or task_queue) and not console.is_quiet():
        for hint in with_client(engine, lambda client: _misspelt(client, filters)):
            console.hint(hint)
    if found > limit:
        console.hint(
            f"There are more; --limit {limit * 5} shows them, sched workflow count counts."
        )


async def _misspelt(client: Client, filters: Filters) -> list[str]:
    """Why nothing was found, perhaps: names that nobody serves, but others like them."""
    from sched_cli.suggesting import similar_queue, similar_type

    hints = []
    if (name := filters["workflow_type"]) and (like := await similar_type(client, name)):
        hints.append(f"No worker serves workflow type {name!r}.{like}")
    if (name := filters["task_queue"]) and (like := await similar_queue(client, name)):
        hints.append(f"No worker takes work from task queue {name!r}.{like}")
    return hints


async def _list_once(client: Client, filters: Filters, limit: int, output: OutputFormat) -> int:
    """Print them; how many there are, or one more than `limit`. A line of JSON is printed
    when it comes, so that whoever breaks a long list off has what came until then."""
    from sched_cli.render import plain
    from sched_cli.render.progress import Progress

    table, lines = output is OutputFormat.TABLE, output is OutputFormat.JSONL
    runs: list[WorkflowInfo] = []
    number = 0
    with Progress("read", hidden=lines and sys.stdout.isatty()) as progress:
        if limit >= _LONG and progress.is_wanted:
            progress.expect(min(limit, (await client.count_workflows(**filters)).total))
        # One more than is shown tells whether there are more.
        listed = client.list_workflows(
            **filters, limit=limit + 1, with_last_event=not table, with_details=True
        )
        async for run in progress.count(listed):
            number += 1
            if number > limit:
                break
            if lines:
                plain.print_json_line(run)
            else:
                runs.append(run)
    if not lines:
        _print_list(runs, output, client.cluster_time())
    return number


def _watch_list(
    read: Callable[[Client], Awaitable[tuple[list[WorkflowInfo], datetime]]],
    limit: int,
    output: OutputFormat,
    interval: str,
    engine: str,
) -> None:
    from sched_cli.render.workflows import workflow_table
    from sched_cli.watching import Engine, Subject, watch

    def draw(seen: tuple[list[WorkflowInfo], datetime], _: int) -> Iterable[RenderableType]:
        runs, now = seen
        yield workflow_table(runs[:limit], now) if runs else NO_WORKFLOWS
        if len(runs) > limit:
            yield "There are more."

    def values(seen: tuple[list[WorkflowInfo], datetime]) -> dict[str, WorkflowInfo]:
        # The oldest first, as they came.
        return {run.run_id: run for run in reversed(seen[0][:limit])}

    connection = Engine(engine)
    subject = Subject(look=lambda: connection.ask(read), draw=draw, values=values)
    watch(subject, output, interval, connection)


@examples(
    "sched workflow count",
    "sched workflow count --status running --task-queue default",
)
def count(
    status: StatusOption = None,
    workflow_type: TypeOption = None,
    task_queue: FilterQueueOption = None,
    id_prefix: IdPrefixOption = None,
    build: BuildOption = None,
    watch: WatchOption = False,
    interval: IntervalOption = DEFAULT_INTERVAL,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Count workflows by status."""
    from sched_cli.connection import with_client
    from sched_cli.render import console, plain
    from sched_cli.render.workflows import count_table

    filters = filters_of(status, workflow_type, task_queue, id_prefix, build)

    async def read(client: Client) -> WorkflowCount:
        return await client.count_workflows(**filters)

    if watch:
        from sched_cli import watching

        connection = watching.Engine(engine)
        subject = watching.Subject(
            look=lambda: connection.ask(read),
            draw=lambda counted, _: [count_table(counted)],
            values=lambda counted: {"": counted},
        )
        watching.watch(subject, output, interval, connection)
        return
    counted = with_client(engine, read)
    if output is OutputFormat.TABLE:
        console.data().print(count_table(counted))
    else:
        plain.print_value(counted, output)


def filters_of(
    status: list[str] | None,
    workflow_type: str | None,
    task_queue: str | None,
    id_prefix: str | None,
    build: str | None,
) -> Filters:
    """The filters of a list, checked. Raises UsageError for an unknown status."""
    return {
        "status": [_check_status(one) for given in status for one in given.split(",")]
        if status
        else None,
        "workflow_type": workflow_type,
        "task_queue": task_queue,
        "id_prefix": id_prefix,
        "build_id": build,
    }


def _check_status(given: str) -> str:
    status = given.upper().replace("-", "_")
    if status not in completion.STATUSES:
        from sched_cli.errors import UsageError
        from sched_cli.suggesting import did_you_mean

        like = did_you_mean(given, completion.STATUSES)
        raise UsageError(f"--status {given!r} is none of {', '.join(completion.STATUSES)}.{like}")
    return status


def _print_list(runs: list[WorkflowInfo], output: OutputFormat, now: datetime) -> None:
    from sched_cli.render import plain

    if output is OutputFormat.JSON:
        plain.print_json(runs)
    else:
        from sched_cli.render import console
        from sched_cli.render.workflows import workflow_table

        if runs:
            workflow_table(runs, now).print(console.data())
        else:
            console.hint(NO_WORKFLOWS)

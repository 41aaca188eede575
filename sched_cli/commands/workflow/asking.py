"""`sched workflow query | stack`: ask a workflow's own code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sched_cli.options import (
    DEFAULT_ENGINE,
    EngineOption,
    InputsOption,
    OutputFormat,
    OutputOption,
    WorkflowIdArgument,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from datetime import datetime

    from sched_sdk._client import WorkflowHandle

TimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        envvar="SCHED_TIMEOUT",
        help="Wait no longer than this (5s, 1m); the engine gives up after about 30 s.",
    ),
]


@examples(
    "sched workflow query order-7",
    "sched workflow query order-7 progress",
    "sched workflow query order-7 left --input 10 --output json",
)
def query(
    workflow_id: WorkflowIdArgument,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]", help="The query's name; without it, the queries there are."
        ),
    ] = None,
    inputs: InputsOption = None,
    timeout: TimeoutOption = None,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Ask a workflow something; it changes nothing."""
    from sched_cli.render import plain
    from sched_cli.values import parse_inputs

    if name is None:
        _list_queries(_ask(engine, workflow_id, "__queries", [], timeout)[0], workflow_id, output)
        return
    answer, _ = _ask(engine, workflow_id, name, parse_inputs(inputs), timeout)
    if output is OutputFormat.TABLE and isinstance(answer, str):
        typer.echo(answer)
    elif output is OutputFormat.JSONL:
        plain.print_json_line(answer)
    else:
        plain.print_json(answer)


@examples(
    "sched workflow stack order-7",
    "sched workflow stack order-7 --output json",
)
def stack(
    workflow_id: WorkflowIdArgument,
    timeout: TimeoutOption = None,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Show where a workflow's code stands, and what it waits for.

    Each of its tasks, with the functions it is in. A worker has to answer.
    """
    from sched_cli.render import console, plain

    tasks, now = _ask(engine, workflow_id, "__stack", [], timeout)
    if output is OutputFormat.JSON:
        plain.print_json(tasks)
    elif output is OutputFormat.JSONL:
        for task in tasks:
            plain.print_json_line(task)
    elif tasks:
        from sched_cli.render.stack import stack_lines

        for line in stack_lines(tasks, now):
            console.data().print(line, soft_wrap=True)
    else:
        console.hint("Its code has ended; nothing waits.")


def _list_queries(queries: list[dict[str, Any]], workflow_id: str, output: OutputFormat) -> None:
    from sched_cli.render import console, plain

    if output is OutputFormat.JSON:
        plain.print_json(queries)
    elif output is OutputFormat.JSONL:
        for one in queries:
            plain.print_json_line(one)
    elif queries:
        from sched_cli.render.stack import query_table

        console.data().print(query_table(queries))
    else:
        console.hint(
            f"It has no queries of its own. Where it stands: sched workflow stack {workflow_id}"
        )


def _ask(
    engine: str, given: str, name: str, inputs: list[Any], timeout: str | None
) -> tuple[Any, datetime]:
    """The answer, and when that was by the engine's clock."""
    from sched_cli.connection import with_workflow
    from sched_cli.errors import CliError, UsageError
    from sched_cli.values import parse_duration
    from sched_sdk.errors import QueryFailedError, QueryNotFoundError

    limit = parse_duration(timeout, "--timeout")
    limit_s = limit.total_seconds() if limit else None

    async def ask(handle: WorkflowHandle[object]) -> tuple[Any, datetime]:
        answer = await handle.query(name, *inputs, timeout=limit_s)
        return answer, handle.cluster_time()

    try:
        return with_workflow(engine, given, ask)
    except TimeoutError:
        raise CliError(
            f"No worker has answered for {given} within {timeout}. Why: sched why {given}"
        ) from None
    except QueryNotFoundError as error:
        raise UsageError(f"{error}.") from error
    except QueryFailedError as error:
        _show_failure(error)
        raise


def _show_failure(error: Exception) -> None:
    from sched_cli.render import console
    from sched_cli.render.failures import failure_lines

    if error.__cause__ is not None:
        for line in failure_lines(error.__cause__):
            console.messages().print(line, soft_wrap=True)

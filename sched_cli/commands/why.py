"""`sched why`: why a workflow is where it is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_cli.options import (
    DEFAULT_ENGINE,
    EngineOption,
    OutputFormat,
    OutputOption,
    WorkflowIdArgument,
)

if TYPE_CHECKING:
    from sched_cli.errors import CliError
    from sched_cli.looking import Sight
    from sched_cli.render.reasons import Reason

_SHOWN = 20


def why(
    workflow_id: WorkflowIdArgument,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Say why a workflow is where it is: what it waits for, what failed, who is missing."""
    import asyncio

    from sched_cli.render.why import reasons

    sight = asyncio.run(_read(engine, workflow_id))
    if isinstance(sight, dict):
        raise _no_leader(sight, output)
    found = reasons(sight.description, sight.now, sight)
    if output is OutputFormat.TABLE:
        _print_sentences(sight, found)
    else:
        _print_object(_object(sight, found), output)


async def _read(engine: str, workflow_id: str) -> Sight | dict[str, str]:
    """The workflow; or how each engine answers, if none leads."""
    from sched_cli.cluster import how_engines_are
    from sched_cli.connection import connect, on_workflow
    from sched_cli.errors import EXIT_UNREACHABLE, CliError
    from sched_cli.looking import look

    try:
        client = await connect(engine)
    except CliError as error:
        if error.exit_code != EXIT_UNREACHABLE:
            raise
        return await how_engines_are(engine)
    async with client:
        return await on_workflow(client, workflow_id, lambda found: look(client.workflow(found)))


def _print_sentences(sight: Sight, found: list[Reason]) -> None:
    from rich.text import Text

    from sched_cli.render import console
    from sched_cli.render.why import shorten

    stuck = {reason.sentence for reason in found if reason.stuck}
    for sentence in shorten(found, _SHOWN):
        style = "yellow" if sentence in stuck else ""
        console.data().print(Text(sentence, style=style), soft_wrap=True)
    if sight.details:
        console.data().print(Text(f"It says: {sight.details}", style="dim"), soft_wrap=True)


def _object(sight: Sight, found: list[Reason]) -> dict[str, Any]:
    from sched_cli.render.reasons import as_json

    info = sight.description.info
    return {
        "workflow_id": info.workflow_id,
        "run_id": info.run_id,
        "workflow_type": info.workflow_type,
        "status": info.status.value,
        "details": sight.details,
        "answered": sight.stack is not None,
        "reasons": [as_json(reason) for reason in found],
    }


def _print_object(value: dict[str, Any], output: OutputFormat) -> None:
    from sched_cli.render import plain

    if output is OutputFormat.JSON:
        plain.print_json(value)
    else:
        plain.print_json_line(value)


def _no_leader(tried: dict[str, str], output: OutputFormat) -> CliError:
    """No engine serves: that is why nothing goes on."""
    from sched_cli.errors import EXIT_UNREACHABLE, CliError
    from sched_cli.render.reasons import Reason, as_json

    said = "; ".join(f"{address} {state}" for address, state in tried.items())
    reason = Reason(
        "no_leader",
        f"No engine leads, so nothing goes on: {said}. Start one: sched dev, or sched engine",
        {"engines": tried},
        stuck=True,
    )
    if output is not OutputFormat.TABLE:
        _print_object({"reasons": [as_json(reason)]}, output)
    return CliError(reason.sentence, exit_code=EXIT_UNREACHABLE)

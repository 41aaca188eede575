"""`sched why`: why a workflow is where it is, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sched_cli.options import (
    DEFAULT_ENGINE,
    DEFAULT_INTERVAL,
    EngineOption,
    IntervalOption,
    OutputFormat,
    OutputOption,
    WatchOption,
    WorkflowIdArgument,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

    from sched_cli.errors import CliError
    from sched_cli.looking import Sight
    from sched_cli.render.reasons import Reason
    from sched_sdk._client import Client

_SHOWN = 20


@examples(
    "sched why order-7",
    "sched why order-7 --watch",
    "sched why order-7 --output json",
)
def why(
    workflow_id: WorkflowIdArgument,
    watch: WatchOption = False,
    interval: IntervalOption = DEFAULT_INTERVAL,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Say why a workflow is where it is, and what it waits for.

    A sentence each, the most important first: what failed and when it is tried again,
    which worker is missing, which signal, timer, activity or step it waits for, since
    when and where in the code.
    """
    from sched_cli import loops
    from sched_cli.render import console, plain
    from sched_cli.render.why import reasons

    if watch:
        _watch(workflow_id, output, interval, engine)
        return
    sight = loops.run_once(_read(engine, workflow_id))
    if isinstance(sight, dict):
        raise _no_leader(sight, output)
    found = reasons(sight.description, sight.now, sight)
    if output is OutputFormat.TABLE:
        for line in _lines(sight, found):
            console.data().print(line, soft_wrap=True)
    else:
        plain.print_value(_object(sight, found), output)


def _watch(workflow_id: str, output: OutputFormat, interval: str, engine: str) -> None:
    from sched_cli.connection import on_workflow
    from sched_cli.looking import is_over, look
    from sched_cli.render.why import reasons
    from sched_cli.watching import Engine, Subject, watch

    def found(sight: Sight) -> list[Reason]:
        return reasons(sight.description, sight.now, sight)

    async def read(client: Client) -> Sight:
        return await on_workflow(client, workflow_id, lambda name: look(client.workflow(name)))

    connection = Engine(engine)
    subject = Subject(
        look=lambda: connection.ask(read),
        draw=lambda sight, _: _lines(sight, found(sight)),
        values=lambda sight: {"": _object(sight, found(sight))},
        is_over=is_over,
    )
    watch(subject, output, interval, connection)


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


def _lines(sight: Sight, found: list[Reason]) -> Iterable[Text]:
    from rich.text import Text

    from sched_cli.render.why import shorten

    stuck = {reason.sentence for reason in found if reason.stuck}
    for sentence in shorten(found, _SHOWN):
        yield Text(sentence, style="yellow" if sentence in stuck else "")
    if details := sight.description.info.details:
        yield Text(f"It says: {details}", style="dim")


def _object(sight: Sight, found: list[Reason]) -> dict[str, Any]:
    from sched_cli.render.reasons import as_json

    info = sight.description.info
    return {
        "workflow_id": info.workflow_id,
        "run_id": info.run_id,
        "workflow_type": info.workflow_type,
        "status": info.status.value,
        "details": info.details,
        "answered": sight.stack is not None,
        "reasons": [as_json(reason) for reason in found],
    }


def _no_leader(tried: dict[str, str], output: OutputFormat) -> CliError:
    """No engine serves: that is why nothing goes on."""
    from sched_cli.errors import EXIT_UNREACHABLE, CliError
    from sched_cli.render import plain
    from sched_cli.render.reasons import Reason, as_json

    said = "; ".join(f"{address} {state}" for address, state in tried.items())
    reason = Reason(
        "no_leader",
        f"No engine leads, so nothing goes on: {said}. Start one: sched dev, or sched engine",
        {"engines": tried},
        stuck=True,
    )
    if output is not OutputFormat.TABLE:
        plain.print_value({"reasons": [as_json(reason)]}, output)
    return CliError(reason.sentence, exit_code=EXIT_UNREACHABLE)

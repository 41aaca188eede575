"""`sched workflow show`: one workflow, in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    from rich.console import RenderableType

    from sched_cli.looking import Sight
    from sched_cli.timeline import Timeline
    from sched_sdk._client import Client

    Seen = tuple[Sight, Timeline | None]


@examples(
    "sched workflow show order-7",
    "sched workflow show order-7 --watch --interval 500ms",
    "sched workflow show order-7 --output json",
)
def show(
    workflow_id: WorkflowIdArgument,
    watch: WatchOption = False,
    interval: IntervalOption = DEFAULT_INTERVAL,
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Show one workflow: how it stands, and what happened when.

    Its status, what it waits for and where in the code, attempts, errors and the next
    try, and a picture of its activities, steps, timers and signals.
    """
    from sched_cli.connection import on_workflow, with_client
    from sched_cli.looking import is_over, look, read_timeline
    from sched_cli.render.workflows import sight_object

    async def read(client: Client) -> Seen:
        sight = await on_workflow(client, workflow_id, lambda found: look(client.workflow(found)))
        if output is not OutputFormat.TABLE:
            return sight, None
        return sight, await read_timeline(client, sight.description)

    if watch:
        from sched_cli import watching

        connection = watching.Engine(engine)
        subject = watching.Subject(
            look=lambda: connection.ask(read),
            draw=_lines,
            values=lambda seen: {"": sight_object(seen[0], seen[0].now)},
            is_over=lambda seen: is_over(seen[0]),
        )
        watching.watch(subject, output, interval, connection)
        return
    from sched_cli.render import console, plain

    seen = with_client(engine, read)
    if output is OutputFormat.TABLE:
        out = console.data()
        for line in _lines(seen, out.width):
            out.print(line)
    else:
        plain.print_value(sight_object(seen[0], seen[0].now), output)


def _lines(seen: Seen, width: int) -> Iterable[RenderableType]:
    from rich.text import Text

    from sched_cli.render.timeline import timeline_lines
    from sched_cli.render.workflows import description_lines

    sight, timeline = seen
    yield from description_lines(sight.description, sight.now, sight)
    if timeline is not None:
        drawn = list(timeline_lines(timeline, sight.description, sight.now, width))
        if drawn:
            yield Text()
        yield from drawn

"""`sched workflow reset | fork`: go on from an earlier point of a history."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.commands.workflow.changing import ReasonOption
from sched_cli.options import (
    DEFAULT_ENGINE,
    EngineOption,
    OutputFormat,
    OutputOption,
    WorkflowIdArgument,
)
from sched_cli.parser import examples

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sched_cli.divergence_point import StartingPoint
    from sched_sdk._client import WorkflowDescription, WorkflowHandle


class NamedPoint(StrEnum):
    FIRST = "first"
    LAST = "last"
    DIVERGENCE = "divergence"


EventOption = Annotated[
    int | None,
    typer.Option(
        "--event",
        metavar="N",
        min=1,
        envvar="SCHED_EVENT",
        show_default=False,
        help="Keep the history up to this event, rounded down to where the code was idle.",
    ),
]
ToOption = Annotated[
    NamedPoint | None,
    typer.Option(
        "--to",
        envvar="SCHED_TO",
        show_default=False,
        help=(
            "Keep it up to just before the code ran for the first or the last time, or to just "
            "before the local code does something else."
        ),
    ),
]
CopyAppOption = Annotated[
    list[str] | None,
    typer.Option(
        "--app",
        metavar="APP",
        envvar="SCHED_APP",
        help="With --to divergence: the code; a file, a folder or a module; repeatable.",
    ),
]
DropSignalsOption = Annotated[
    bool,
    typer.Option(
        "--drop-signals",
        envvar="SCHED_DROP_SIGNALS",
        help="Leave the signals behind that came after that point.",
    ),
]


@examples(
    "sched workflow reset order-7 --to first",
    "sched workflow reset order-7 --event 4 --reason 'the mail server is back'",
    "sched workflow reset order-7 --to divergence --app app.py",
)
def reset(
    workflow_id: WorkflowIdArgument,
    event: EventOption = None,
    to: ToOption = None,
    app: CopyAppOption = None,
    drop_signals: DropSignalsOption = False,
    reason: ReasonOption = "",
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """End a run, and go on from an earlier point of its history.

    A new run begins under the same id, with the events up to there; one that has ended
    is taken up again. What was done stays done.
    """
    start = _start(workflow_id, _point(event, to), app or (), engine)

    async def begin(handle: WorkflowHandle[object]) -> WorkflowHandle[object]:
        return await handle.reset(start.to, keep_signals=not drop_signals, reason=reason)

    copy = _copy(engine, start, begin)
    _say(f"Reset {copy.info.workflow_id}", copy)
    if output is not OutputFormat.TABLE:
        _print_ids(copy, output)


@examples(
    "sched workflow fork order-7 --event 4 --id order-7-again",
    "sched workflow fork order-7 --to last --drop-signals",
)
def fork(
    workflow_id: WorkflowIdArgument,
    event: EventOption = None,
    to: ToOption = None,
    app: CopyAppOption = None,
    new_id: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="NEW_ID",
            envvar="SCHED_WORKFLOW_ID",
            show_default=False,
            help="The new workflow's id; by default the engine makes one.",
        ),
    ] = None,
    drop_signals: DropSignalsOption = False,
    reason: ReasonOption = "",
    output: OutputOption = OutputFormat.TABLE,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Begin a workflow with another's history up to an earlier point.

    The same as reset, under another id; the original goes on. Prints the new id.
    """
    start = _start(workflow_id, _point(event, to), app or (), engine)

    async def begin(handle: WorkflowHandle[object]) -> WorkflowHandle[object]:
        return await handle.fork(start.to, id=new_id, keep_signals=not drop_signals, reason=reason)

    copy = _copy(engine, start, begin)
    assert copy.origin is not None
    _say(f"Forked {copy.origin.workflow_id}", copy)
    if output is OutputFormat.TABLE:
        typer.echo(copy.info.workflow_id)
    else:
        _print_ids(copy, output)


def _print_ids(copy: WorkflowDescription, output: OutputFormat) -> None:
    from sched_cli.render import plain

    ids = {
        "workflow_id": copy.info.workflow_id,
        "run_id": copy.info.run_id,
        "origin": copy.origin,
    }
    plain.print_value(ids, output)


def _point(event: int | None, to: NamedPoint | None) -> int | NamedPoint:
    from sched_cli.errors import UsageError

    if event is not None and to is None:
        return event
    if event is None and to is not None:
        return to
    raise UsageError(
        "say where to go back to: either --event N (see `sched workflow history ID`), or "
        "--to first, --to last, or --to divergence"
    )


def _start(
    workflow_id: str, point: int | NamedPoint, app: Sequence[str], engine: str
) -> StartingPoint:
    """Raises CliError when the local code does not diverge."""
    from sched_cli.divergence_point import StartingPoint, find_divergence
    from sched_cli.render import console

    if point is NamedPoint.DIVERGENCE:
        start, message = find_divergence(engine, workflow_id, app)
        console.say(message)
        return start
    if isinstance(point, int):
        return StartingPoint(workflow_id, point)
    return StartingPoint(workflow_id, "first" if point is NamedPoint.FIRST else "last")


def _copy(
    engine: str,
    start: StartingPoint,
    begin: Callable[[WorkflowHandle[object]], Awaitable[WorkflowHandle[object]]],
) -> WorkflowDescription:
    """Do it to the workflow that is meant; describes the new run."""
    from sched_cli.connection import with_workflow

    async def copy(handle: WorkflowHandle[object]) -> WorkflowDescription:
        return await (await begin(handle)).describe()

    return with_workflow(engine, start.workflow_id, copy, run_id=start.run_id)


def _say(what: str, copy: WorkflowDescription) -> None:
    from sched_cli.render import console

    origin = copy.origin
    assert origin is not None
    carried = f", with {origin.signals} later signals" if origin.signals > 1 else ""
    carried = carried or (", with 1 later signal" if origin.signals else "")
    console.say(
        f"{what}: run {copy.info.run_id} has its events up to {origin.event_id}{carried}. "
        f"What it does now: sched workflow show {copy.info.workflow_id}"
    )

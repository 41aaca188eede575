"""`sched workflow signal | cancel | terminate`: act on a workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sched_cli.options import DEFAULT_ENGINE, EngineOption, InputsOption, WorkflowIdArgument
from sched_cli.parser import examples

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sched_sdk._client import WorkflowHandle

ReasonOption = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", envvar="SCHED_REASON", help="Goes into the history."),
]


@examples(
    "sched workflow signal order-7 approve",
    'sched workflow signal order-7 approve --input \'{"by": "ops"}\'',
)
def signal(
    workflow_id: WorkflowIdArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal's name.")],
    inputs: InputsOption = None,
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Send a signal to a workflow."""
    from sched_cli.values import parse_inputs

    arguments = parse_inputs(inputs)
    found = _act(engine, workflow_id, lambda handle: handle.signal(name, *arguments))
    _confirm(f"Sent signal {name} to {found}.")


@examples(
    "sched workflow cancel order-7",
    "sched workflow cancel order-7 --reason 'the customer called'",
)
def cancel(
    workflow_id: WorkflowIdArgument,
    reason: ReasonOption = "",
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """Ask a workflow to stop; its code may clean up first."""
    found = _act(engine, workflow_id, lambda handle: handle.cancel(reason))
    _confirm(f"Asked {found} to cancel. What it does now: sched workflow show {found}")


@examples(
    "sched workflow terminate order-7",
    "sched workflow terminate order-7 --reason broken",
)
def terminate(
    workflow_id: WorkflowIdArgument,
    reason: ReasonOption = "",
    engine: EngineOption = DEFAULT_ENGINE,
) -> None:
    """End a workflow at once; its code is not asked."""
    found = _act(engine, workflow_id, lambda handle: handle.terminate(reason))
    _confirm(f"Terminated {found}.")


def _act(
    engine: str,
    given: str,
    act: Callable[[WorkflowHandle[object]], Awaitable[None]],
) -> str:
    """Do it to the workflow that `given` means; returns the workflow's id."""
    from sched_cli.connection import with_workflow

    async def act_on(handle: WorkflowHandle[object]) -> str:
        await act(handle)
        return handle.id

    return with_workflow(engine, given, act_on)


def _confirm(message: str) -> None:
    from sched_cli.render import console

    console.say(message)

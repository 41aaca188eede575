"""`sched replay --step`, `--at`, `--break` and `--pdb`: one history, looked at closely."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli import loops
from sched_cli.errors import EXIT_FAILED, UsageError
from sched_cli.options import OutputFormat
from sched_cli.replaying import (
    Wanted,
    definition_for,
    definitions_of,
    load_chosen_app,
    prints_aside,
    read_one,
)
from sched_cli.step_moves import LocalJourney, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sched_sdk._capture import CapturedHistory
    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._stepping import Place, Stepper, View


@dataclass(frozen=True, slots=True)
class Stop:
    """What was asked for."""

    step: bool
    pdb: bool
    event_id: int | None
    line: str | None
    """`file:line`."""


def step_through(
    wanted: Wanted, app: Sequence[str], engine: str, stop: Stop, output: OutputFormat
) -> int:
    """Returns the exit code. Raises UsageError for what does not go together."""
    _check(wanted, stop, output)
    loaded = load_chosen_app(app)
    captured = loops.run_once(read_one(wanted, engine))
    definition = definition_for(captured, definitions_of(loaded))
    place = None if stop.line is None else place_of(stop.line)
    from sched_sdk.errors import SchedError

    try:
        if stop.pdb:
            return _debug(definition, captured, stop.event_id, place)
        with prints_aside():
            stepper = _start(definition, captured, stop.event_id, place)
            view = stepper.view
    except LookupError as error:
        raise UsageError(str(error)) from None
    except SchedError as error:
        raise UsageError(f"{captured.workflow_id} cannot be replayed: {error}") from error
    if stop.step:
        from sched_cli.tui.step import StepApp

        StepApp(LocalJourney(stepper), captured.workflow_id, captured.workflow_type).run()
    else:
        _print_position(view, captured, output)
    with prints_aside():  # what is closed may have its last words
        stepper.close()
    return EXIT_FAILED if stepper.diverges else 0


def _check(wanted: Wanted, stop: Stop, output: OutputFormat) -> None:
    if not wanted.only_one:
        raise UsageError("--step, --at, --break and --pdb go with one history.")
    if stop.step and stop.pdb:
        raise UsageError("--step and --pdb are two ways to look: say one of them.")
    # Views are drawn on stderr, so that is to be one as well.
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if stop.step and not all(stream.isatty() for stream in streams):
        raise UsageError(
            "--step needs a terminal, and there is none. --at EVENT without it prints one "
            "position, also as --output json."
        )
    if (stop.step or stop.pdb) and output is not OutputFormat.TABLE:
        raise UsageError("--output goes with --at or --break alone, which print one position.")


def _start(
    definition: WorkflowDefinition,
    captured: CapturedHistory,
    event_id: int | None,
    place: Place | None,
) -> Stepper:
    """Raises LookupError if there is no such event, or the line never runs."""
    from sched_sdk._stepping import Stepper

    stepper = Stepper(definition, captured.events)
    if event_id is not None:
        stepper.to(event_id)
    if place is not None and stepper.to_line(place) is None:
        behind = f" behind event {event_id}" if event_id is not None else ""
        raise LookupError(f"{place} does not run{behind} in this history.")
    return stepper


def _print_position(view: View, captured: CapturedHistory, output: OutputFormat) -> None:
    from sched_cli.render import plain
    from sched_cli.render.position_json import position_as_json

    if output is OutputFormat.TABLE:
        from sched_cli.render.position import show_position

        show_position(view, captured.workflow_id)
    elif output is OutputFormat.JSON:
        plain.print_json(position_as_json(view, captured))
    else:
        plain.print_json_line(position_as_json(view, captured))


def _debug(
    definition: WorkflowDefinition,
    captured: CapturedHistory,
    event_id: int | None,
    place: Place | None,
) -> int:
    from sched_cli.render import console
    from sched_sdk._stepping.debugger import debug

    agrees = debug(definition, captured.events, event_id=event_id, place=place, say=console.say)
    return 0 if agrees else EXIT_FAILED

"""Waiting for a workflow at the terminal: its history as it grows, its result."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from sched_cli.options import OutputFormat

if TYPE_CHECKING:
    from rich.console import Console

    from sched_sdk._client import WorkflowHandle
    from sched_sdk.errors import WorkflowFailedError

# Someone who waits this long wants to know what for.
_FIRST_LOOK_S = 1.0
_NEXT_LOOK_S = 5.0


async def print_history(
    handle: WorkflowHandle[Any], output: OutputFormat, *, after: int, follow: bool
) -> None:
    """A run's events, as a table, a JSON array, or one JSON object a line."""
    from sched_cli.render import console, plain

    if output is OutputFormat.TABLE:
        await show_events(handle, console.data(), after=after, follow=follow)
    elif output is OutputFormat.JSONL:
        async for event in handle.history(after, follow=follow):
            plain.print_json_line(event)
    else:
        from sched_cli.render.progress import Progress

        with Progress("read events") as progress:
            events = handle.history(after, follow=follow)
            found = [event async for event in progress.count(events)]
        plain.print_json(found)


async def show_events(
    handle: WorkflowHandle[Any], console: Console, *, after: int = 0, follow: bool
) -> None:
    """Print a run's events, one a line, as they come."""
    from sched_cli.render.events import EventLines

    lines = EventLines()
    # The lines of later events name what earlier ones scheduled.
    async for event in handle.history(follow=follow):
        if event.event_id == 1:
            console.print(lines.header(), no_wrap=True, overflow="ellipsis")
        line = lines.line(event)
        if event.event_id > after:
            console.print(line, no_wrap=True, overflow="ellipsis")


async def print_result(handle: WorkflowHandle[Any], output: OutputFormat) -> None:
    """Wait for the result and print it on stdout; a string as it is, in a table
    format, anything else as JSON.

    Raises CliError, after showing the failure, when the workflow did not complete.
    """
    from sched_cli.errors import CliError
    from sched_cli.render import plain
    from sched_sdk.errors import WorkflowFailedError

    try:
        value = await _result_with_news(handle)
    except WorkflowFailedError as error:
        _show_failure(error)
        raise CliError(f"{error.workflow_id} did not complete: {error.status}") from error
    if output is OutputFormat.TABLE and isinstance(value, str):
        sys.stdout.write(value + "\n")
    elif output is OutputFormat.JSONL:
        plain.print_json_line(value)
    else:
        plain.print_json(value)


async def _result_with_news(handle: WorkflowHandle[Any]) -> Any:
    """The result; while it does not come, say what keeps it."""
    waiting = asyncio.ensure_future(handle.result())
    try:
        pause, told = _FIRST_LOOK_S, ""
        while not (await asyncio.wait([waiting], timeout=pause))[0]:
            told = await _tell_what_is_stuck(handle, told)
            pause = _NEXT_LOOK_S
        return waiting.result()
    finally:
        waiting.cancel()


async def _tell_what_is_stuck(handle: WorkflowHandle[Any], told: str) -> str:
    from sched_cli.render import console
    from sched_cli.render.why import reasons
    from sched_sdk.errors import EngineError

    try:
        description = await handle.describe()
    except EngineError:
        return told  # the wait itself says what is wrong
    stuck = [reason for reason in reasons(description, handle.cluster_time()) if reason.stuck]
    if stuck and stuck[0].topic != told:
        console.hint(f"Waiting: {stuck[0].sentence}")
        return stuck[0].topic
    return told


def _show_failure(error: WorkflowFailedError) -> None:
    from sched_cli.render import console
    from sched_cli.render.failures import failure_lines

    if error.__cause__ is not None:
        for line in failure_lines(error.__cause__):
            console.messages().print(line, soft_wrap=True)

"""One position of a replay, for people: in words, and as a page.

The words are those of the step view, too; they need no library for that.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sched_cli.render import console
from sched_cli.render.waits import wait_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from sched_sdk._stepping import Coroutine, Issued, View

_SHOWN_FRAMES = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOSINGS = ("WorkflowCompleted", "WorkflowFailed", "WorkflowCanceled")


def time_of(view: View) -> datetime:
    """The workflow's clock."""
    return _EPOCH + timedelta(microseconds=view.time_us)


def event_name(view: View) -> str:
    """`ActivityCompleted`; empty where there is no event."""
    from sched_sdk._capture.events import type_name

    return "" if view.event is None else type_name(view.event)


def what_happens(view: View) -> str:
    """What the current line means."""
    name = event_name(view)
    if view.divergence is not None:
        return "the code does something else"
    if view.phase == "command":
        ended = name in _CLOSINGS
        return "the function has ended" if ended else "the code asks for it here"
    if view.phase == "line":
        return "this line is about to run"
    if view.phase == "end":
        return "behind the last event: it waits here" if view.frames else "behind the last event"
    if name == "WorkflowStarted":
        return "the function is about to begin"
    return "no worker has seen it yet" if view.pending else "about to reach the code"


def payload_lines(view: View) -> list[str]:
    """The attributes of the event, as indented JSON."""
    from sched_sdk._capture.events import event_to_json

    if view.event is None:
        return []
    attributes: dict[str, Any] = event_to_json(view.event)["attributes"]
    return json.dumps(attributes, indent=2, ensure_ascii=False).splitlines()


def awaited(coroutine: Coroutine, view: View) -> str:
    """What a coroutine waits for."""
    if coroutine.waits_on is None:
        return "runs" if view.phase in ("command", "line") and coroutine.current else "can go on"
    return f"waits for {wait_words(coroutine.waits_on, time_of(view))}"


def issued(command: Issued) -> tuple[str, str, str]:
    """A mark, the event's number or what stands for it, and what was asked for."""
    number = str(command.event_id) if command.event_id else "-"
    return ("▶" if command.current else " ", number, command.what)


def both_sides(view: View) -> list[tuple[str, str, str]]:
    """Of a divergence: who, what, and where."""
    divergence = view.divergence
    if divergence is None:
        return []
    raised = divergence.raised
    does = divergence.current.what or "nothing at this point"
    if raised is not None:
        does = f"raises {raised.type}: {raised.message}".rstrip(": ")
    return [
        ("history says", divergence.recorded.what, divergence.recorded.call_site),
        ("code does", does, divergence.current.call_site),
    ]


def show_position(view: View, workflow_id: str) -> None:
    """Print it as a page."""
    for part in _parts(view, workflow_id):
        console.data().print(part, soft_wrap=True)


def _parts(view: View, workflow_id: str) -> Iterator[RenderableType]:
    from rich.text import Text

    event = f"event {view.event.event_id} {event_name(view)}, " if view.event is not None else ""
    yield Text.assemble(
        (workflow_id, "bold"),
        f" at position {view.index + 1} of {view.total}: ",
        (event, "bold"),
        what_happens(view),
    )
    for side, what, where in both_sides(view):
        yield Text(f"  {side:<14}{what}" + (f"  {where}" if where else ""))
    yield from _source(view)
    yield from _locals(view)
    yield from _titled("Awaits", _coroutines(view))
    yield from _titled("Commands", _commands(view))
    yield from _titled("Event", (Text(f"  {line}") for line in payload_lines(view)))


def _titled(title: str, lines: Iterator[Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    shown = list(lines)
    if shown:
        yield Text(f"\n{title}", style="bold")
        yield from shown


def _source(view: View) -> Iterator[RenderableType]:
    from sched_cli.render.source_lines import Mark, source_parts

    if view.frames:
        frame = view.frames[0]
        yield ""
        mark = Mark("▶", frame.call_site, "bold", frame.file)
        *parts, _ = source_parts([mark], changed=False)
        yield from parts


def _locals(view: View) -> Iterator[RenderableType]:
    from rich.text import Text

    for frame in view.frames[:_SHOWN_FRAMES]:
        if not frame.variables:
            continue
        yield Text(f"\nLocals of {frame.function}", style="bold")
        width = max(len(variable.name) for variable in frame.variables)
        for variable in frame.variables:
            change = view.change_of(frame.function, variable.name)
            before = "" if change is None or change.before is None else f"  (was {change.before})"
            mark = " " if change is None else "*"
            yield Text(f"{mark} {variable.name:<{width}}  {variable.value}{before}")


def _coroutines(view: View) -> Iterator[RenderableType]:
    from rich.text import Text

    width = max((len(one.task) for one in view.coroutines), default=0)
    for one in view.coroutines:
        place = f"  {one.frames[0].call_site}" if one.frames else ""
        mark = "▶" if one.current else " "
        yield Text(f"{mark} {one.task:<{width}}  {awaited(one, view)}{place}")
    if view.hidden_coroutines:
        yield Text(f"  and {view.hidden_coroutines:,} more", style="dim")


def _commands(view: View) -> Iterator[RenderableType]:
    from rich.text import Text

    for command in view.commands:
        mark, number, what = issued(command)
        yield Text(f"{mark} {number:>5}  {what}  {command.call_site}".rstrip())

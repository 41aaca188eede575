"""The report on one divergence: both sides, the lines of code, the locals, what
agreed before, and the ways out. Made to fit 80 columns."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sched_cli.render.plain import compact
from sched_cli.render.source_lines import Mark, source_parts
from sched_cli.render.waits import leaves

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from sched_sdk._debug import Divergence, Frame, Replay, Side, Waiting

_ARGUMENTS_LIMIT = 120
_INDENTATION = "  "
_SHOWN_FRAMES = 4


@dataclass(frozen=True, slots=True)
class LocalCode:
    """What was replayed on."""

    build_id: str
    options: str = ""
    """What names it on a command line, with a blank in front; empty if nothing need."""


def local_code(build_id: str, app: Sequence[str]) -> LocalCode:
    """`app`: what was given for `--app`."""
    return LocalCode(build_id, "".join(f" --app {shlex.quote(one)}" for one in app))


def divergence_report(
    replay: Replay, divergence: Divergence, code: LocalCode
) -> Iterator[RenderableType]:
    """The parts of the report, from top to bottom."""
    yield _headline(replay, divergence)
    yield ""
    yield _both_sides(divergence)
    yield ""
    yield from _sources(divergence, code.build_id)
    for frame in divergence.frames[:_SHOWN_FRAMES]:
        yield from _locals(frame)
    yield from _waits(divergence)
    yield from _agreed(divergence)
    yield from _notes(replay, divergence, code.build_id)
    yield from _ways_out(replay, divergence, code)


def _title(text: str) -> Text:
    from rich.text import Text

    return Text(text, style="bold")


def _headline(replay: Replay, divergence: Divergence) -> Text:
    from rich.text import Text

    where = f"at event {divergence.event_id} of {replay.events}"
    if divergence.event_id > replay.events:
        where = f"behind event {replay.events}, the last"
    return Text.assemble(
        (replay.workflow_id, "bold"),
        " ",
        (str(replay.outcome), "bold red"),
        f" {where} ({replay.workflow_type})",
    )


def _both_sides(divergence: Divergence) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 2), pad_edge=False, show_edge=False)
    table.add_column("  History says", header_style="bold", overflow="fold")
    table.add_column("Code does", header_style="bold", overflow="fold")
    table.add_row(
        _side(divergence.recorded, "green", "  "),
        _side(divergence.current, "red", "", _instead(divergence)),
    )
    return table


def _instead(divergence: Divergence) -> str:
    raised = divergence.raised
    if raised is not None:
        return f"raises {raised.type}: {raised.message}".rstrip(": ")
    return divergence.current.what or "nothing at this point"


def _side(side: Side, style: str, indentation: str, what: str = "") -> Text:
    from rich.text import Text

    words = what or side.what
    if side.arguments is not None:
        arguments = ", ".join(compact(value) for value in side.arguments)
        if len(arguments) > _ARGUMENTS_LIMIT:
            arguments = arguments[: _ARGUMENTS_LIMIT - 1] + "…"
        words += f"({arguments})"
    text = Text(indentation + " ".join(words.split()), style=style)
    if side.call_site:
        at = "" if side.what else "waits at "
        now = f", by now {side.call_site_now}" if _has_moved(side) else ""
        text.append(f"\n{indentation}{at}{side.call_site}{now}", style="dim")
    return text


def _has_moved(side: Side) -> bool:
    return bool(side.call_site_now) and side.call_site_now != side.call_site


def _sources(divergence: Divergence, build_id: str) -> Iterator[RenderableType]:
    recorded = divergence.recorded.call_site_now or divergence.recorded.call_site
    current = divergence.current.call_site
    path = next((f.file for f in divergence.frames if f.call_site == current), "")
    changed = bool(build_id) and divergence.recorded_build_id != build_id
    marks = [Mark("history", recorded, "green"), Mark("code", current, "red", path)]
    yield from source_parts([mark for mark in marks if mark.call_site], changed=changed)


def _locals(frame: Frame) -> Iterator[RenderableType]:
    from rich.text import Text

    if not frame.variables:
        return
    yield _title(f"Locals of {frame.function} at {frame.call_site}")
    width = max(len(variable.name) for variable in frame.variables)
    for variable in frame.variables:
        line = Text.assemble((f"{_INDENTATION}{variable.name:<{width}}  ", "cyan"), variable.value)
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line
    yield ""


def _waits(divergence: Divergence) -> Iterator[RenderableType]:
    """Where the code stands, when it does less than the history."""
    if divergence.current.what or not divergence.waits:
        return
    yield _title("The code waits")
    for wait in divergence.waits:
        name = "" if wait.task in ("workflow", wait.function) else f" ({wait.task})"
        place = wait.call_site or "in a library"
        yield f"{_INDENTATION}in {wait.function or '?'}{name}, {place}{_awaited(wait)}"
    yield ""


def _awaited(wait: Waiting) -> str:
    """Without times: those of a history that is replayed say nothing."""
    awaited = [f"{leaf['kind']} {leaf.get('name') or ''}".strip() for leaf in leaves(wait.waits_on)]
    return f", for {', '.join(awaited)}" if awaited else ""


def _agreed(divergence: Divergence) -> Iterator[RenderableType]:
    from rich.table import Table

    if not divergence.agreed:
        return
    yield _title("Both agree on, last")
    table = Table.grid(padding=(0, 2))
    for command in divergence.agreed:
        site = command.recorded_call_site
        if command.current_call_site and command.current_call_site != site:
            site = f"{site}, now {command.current_call_site}" if site else command.current_call_site
        table.add_row(f"{_INDENTATION}event {command.event_id}", command.what, site)
    yield table
    yield ""


def _notes(replay: Replay, divergence: Divergence, build_id: str) -> Iterator[RenderableType]:
    notes = []
    if divergence.unstable:
        notes.append(
            "A second replay of this code went otherwise. It is not deterministic by itself: "
            "look for clocks, random numbers, sets, global variables."
        )
    elif build_id and divergence.recorded_build_id == build_id:
        notes.append(
            "The same build recorded this history, so it was not an edit: look for clocks, "
            "random numbers, sets, global variables, environment."
        )
    if replay.redacted:
        notes.append(
            "Values of this history are redacted; code that decides by one may take another turn."
        )
    for note in notes:
        yield f"Note: {note}"
        yield ""


def _ways_out(replay: Replay, divergence: Divergence, code: LocalCode) -> Iterator[RenderableType]:
    from rich.text import Text

    yield _title("Ways out")
    goes_on = "" if replay.closed else "; the workflow goes on by itself"
    ways = [("put the code back", f"what it did is told above{goes_on}")]
    if divergence.raised is not None:
        ways = [("mend the code", f"so that it gets past this point{goes_on}")]
    ways.append(("keep both", 'if ctx.patched("…"): the new way; else: the old one'))
    if divergence.reset_event_id:
        ways.append(("go on from before", _command("reset", replay, code)))
        ways.append(("try it beside", _command("fork", replay, code)))
    width = max(len(way) for way, _ in ways)
    for way, how in ways:
        # Wrapped by the terminal, if at all: a command is to be copied as one line.
        line = f"{_INDENTATION}{way:<{width}}  {how}"
        yield Text(line, no_wrap=True, overflow="ignore")


def _command(verb: str, replay: Replay, code: LocalCode) -> str:
    return f"sched workflow {verb} {replay.workflow_id} --to divergence{code.options}"

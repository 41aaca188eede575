"""Looking at a run: at one that stands still, and at one that is just running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sched_sdk._debug.comparison import plain_payloads
from sched_sdk._debug.model import Frame, Variable
from sched_sdk._debug.observation import frames_of_task
from sched_sdk._debug.variables import frame_of, safe_repr
from sched_sdk._replay.call_sites import format_site, user_frames
from sched_sdk._replay.journal import Journal
from sched_sdk._replay.waiting import waits_of
from sched_sdk._stepping.model import Coroutine
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from types import CodeType

    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.instance import Instance
    from sched_sdk._replay.journal import Request
    from sched_sdk._stepping.lines import Place

__all__ = ["Moment", "WatchedJournal", "look_at_running", "look_at_waiting", "start_frame"]

Event = history_pb2.HistoryEvent

# A workflow may have thousands of tasks, and nobody reads that many.
MAXIMUM_COROUTINES = 100
# While code runs this is looked up for every command.
MAXIMUM_WHILE_RUNNING = 20
_MAIN = "workflow"


class Moment(NamedTuple):
    """How the run stood."""

    frames: tuple[Frame, ...]
    coroutines: tuple[Coroutine, ...]
    hidden: int
    time_us: int
    request: object = None
    """What the code was asking for just then."""
    place: Place | None = None
    """The line that was about to run, of those that were looked for."""


class WatchedJournal(Journal):
    """Tells of every request, while the function that makes it is active."""

    __slots__ = ("on_request",)

    def __init__(self) -> None:
        super().__init__()
        self.on_request: Callable[[Request], None] | None = None

    def add(self, request: Request) -> None:
        super().add(request)
        if self.on_request is not None:
            self.on_request(request)


def look_at_running(
    instance: Instance, *, request: object = None, place: Place | None = None
) -> Moment:
    """From within the code: its active functions, and where the other tasks wait."""
    frames = tuple(frame_of(frame) for frame in user_frames())
    running = asyncio.current_task(instance.loop)
    if not frames and running is not None:
        frames = _made_at(running)
    coroutines = tuple(
        Coroutine(
            task=name,
            frames=frames if task is running else waiting,
            waits_on=waits_on,
            current=task is running,
        )
        for task, name, waiting, waits_on in _tasks(instance, MAXIMUM_WHILE_RUNNING)
    )
    hidden = len(instance.loop.tasks) - len(coroutines)
    return Moment(frames, coroutines, hidden, instance.loop.now_us, request, place)


def look_at_waiting(instance: Instance, event: Event | None) -> Moment:
    """Between two activations. `event` is what comes next: the coroutine that
    waits for it is the current one, or else the workflow function."""
    found = list(_tasks(instance, MAXIMUM_COROUTINES))
    current = next(
        (number for number, one in enumerate(found) if _waits_for(one[3], event)),
        next((number for number, one in enumerate(found) if one[1] == _MAIN), 0),
    )
    coroutines = tuple(
        Coroutine(task=name, frames=frames, waits_on=waits_on, current=number == current)
        for number, (_, name, frames, waits_on) in enumerate(found)
    )
    frames = coroutines[current].frames if coroutines else ()
    hidden = len(instance.loop.tasks) - len(coroutines)
    return Moment(frames, coroutines, hidden, instance.loop.now_us)


_Task = tuple[asyncio.Task[Any], str, tuple[Frame, ...], Mapping[str, Any] | None]


def _tasks(instance: Instance, limit: int) -> Iterator[_Task]:
    tasks = instance.loop.tasks.values()
    for task, wait in islice(zip(tasks, waits_of(instance, limit), strict=False), limit):
        frames = frames_of_task(task.get_coro())
        yield task, wait.task, frames or _made_at(task), wait.waits_on


def _made_at(task: Any) -> tuple[Frame, ...]:
    """Of a task that runs library code only: the place that made it."""
    site = format_site(task.site)
    if not site:
        return ()
    code: CodeType = task.site[0]
    return (
        Frame(
            function=code.co_qualname.rpartition("<locals>.")[2],
            call_site=site,
            file=code.co_filename,
            line=int(site.rpartition(":")[2]),
            variables=(),
        ),
    )


def _waits_for(waits_on: Mapping[str, Any] | None, event: Event | None) -> bool:
    if waits_on is None or event is None:
        return False
    if "of" in waits_on:
        return any(_waits_for(part, event) for part in waits_on["of"])
    kind = waits_on["kind"]
    field = event.WhichOneof("attributes") or ""
    attributes: Any = getattr(event, field, None)
    if kind == "signal":
        return field == "signal_received" and waits_on["name"] in (None, attributes.name)
    if kind in ("activity", "timer", "step") and field.startswith(f"{kind}_"):
        return bool(waits_on["seq"] == attributes.seq)
    return False


def start_frame(definition: WorkflowDefinition, event: Event) -> tuple[Frame, ...]:
    """The workflow function before it runs, with its arguments."""
    code: CodeType | None = getattr(definition.fn, "__code__", None)
    if code is None or not event.HasField("workflow_started"):
        return ()
    names = code.co_varnames[1 : code.co_argcount]
    try:
        values = definition.decode_arguments(event.workflow_started.input)
    except PayloadError:
        values = plain_payloads(event.workflow_started.input)
    line = _line_of_def(code)
    file, _, _ = format_site((code, 0)).rpartition(":")
    return (
        Frame(
            function=code.co_qualname.rpartition("<locals>.")[2],
            call_site=f"{file}:{line}",
            file=code.co_filename,
            line=line,
            variables=tuple(
                Variable(name=name, value=safe_repr(value))
                for name, value in zip(names, values, strict=False)
            ),
        ),
    )


def _line_of_def(code: CodeType) -> int:
    """Below the decorators."""
    import linecache

    first = code.co_firstlineno
    for line in range(first, first + 50):
        if linecache.getline(code.co_filename, line).lstrip().startswith(("async def ", "def ")):
            return line
    return first

"""Where the tasks of a run wait, and on what: for `why`, `stack` and messages.

A task stands at the end of a chain of coroutines that await each other; the
frames of the chain that are user code say where. What it waits on is the one
future at the end of the chain: asyncio tells which (`_fut_waiter`), and by
looking through the tables of the run we know what that future stands for.
Futures of asyncio itself (`gather`, `wait`, `shield`, `TaskGroup`, locks) are
taken apart to what they wait for in turn.

Only looks; it may run at any time, and costs nothing when it does not.
"""

from __future__ import annotations

import asyncio
import os.path
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sched_sdk._replay.activities import ActivityHandle
from sched_sdk._replay.call_sites import CallSite, format_site, is_user_code
from sched_sdk._replay.steps import StepFuture

if TYPE_CHECKING:
    from types import FrameType

    from sched_sdk._replay.instance import Instance

__all__ = ["Frame", "Wait", "stack_of", "waits_of"]

_MAXIMUM_DEPTH = 1_000
# Of what a `gather` waits for, and of what those wait for in turn.
_SHOWN_PARTS = 20
_SHOWN_LEVELS = 4
_ASYNCIO = os.path.dirname(asyncio.__file__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Frame(NamedTuple):
    file: str
    line: int
    function: str


class Wait(NamedTuple):
    task: str
    """The task's name; the workflow function's is "workflow"."""
    frames: tuple[Frame, ...]
    """User code, the outermost function first; the place that made the task,
    if it runs library code only."""
    waits_on: dict[str, Any] | None
    """`kind` and what belongs to it, see docs/guide/queries.md; None: it can go on."""

    @property
    def call_site(self) -> str:
        """`file:line` of the innermost await in user code; may be empty."""
        return f"{self.frames[-1].file}:{self.frames[-1].line}" if self.frames else ""

    @property
    def function(self) -> str:
        """The function that stands there."""
        return self.frames[-1].function if self.frames else ""


def stack_of(instance: Instance) -> list[dict[str, Any]]:
    """The answer to `__stack`: every task of the run, in order of creation."""
    return [
        {
            "task": wait.task,
            "frames": [frame._asdict() for frame in wait.frames],
            "waits_on": wait.waits_on,
        }
        for wait in waits_of(instance)
    ]


def waits_of(instance: Instance, limit: int | None = None) -> list[Wait]:
    """In order of creation; of the first `limit` tasks."""
    meanings = _Meanings(instance)
    waits = []
    for task in islice(instance.loop.tasks.values(), limit):
        frames, innermost = _frames_of(task.get_coro())
        if not frames:
            frames = _frame_at(task.site, task.get_name())
        future = getattr(task, "_fut_waiter", None)
        waits_on = None if future is None else meanings.of(future, innermost)
        waits.append(Wait(task.get_name(), frames, waits_on))
    return waits


def _frames_of(coroutine: Any) -> tuple[tuple[Frame, ...], FrameType | None]:
    """The user's frames of a chain of awaits, and its innermost frame."""
    frames: list[Frame] = []
    innermost: FrameType | None = None
    for _ in range(_MAXIMUM_DEPTH):
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            break
        innermost = frame
        if is_user_code(frame.f_code):
            frames.extend(_frame_at((frame.f_code, frame.f_lasti), frame.f_code.co_qualname))
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return tuple(frames), innermost


def _frame_at(site: CallSite, function: str) -> tuple[Frame, ...]:
    file, _, line = format_site(site).rpartition(":")
    return (Frame(file, int(line), function),) if file else ()


class _Meanings:
    """What the futures of a run stand for."""

    def __init__(self, instance: Instance) -> None:
        self._loop = instance.loop
        self._known: dict[int, dict[str, Any]] = {}
        due: dict[int, str] = {}
        for timer in instance.journal.timers.values():
            assert timer.command is not None
            if not timer.arguments:
                continue
            # A future that the timer resolves, or a waiter that it lets time out.
            awaited = timer.arguments[0]
            due[id(awaited)] = self._time(self._loop.origin_us + round(timer.due * 1_000_000))
            self._known[id(awaited)] = {
                "kind": "timer",
                "seq": timer.command.seq,
                "due": due[id(awaited)],
            }
        for waiter in instance.signals.waiters:
            self._known[id(waiter.future)] = {
                "kind": "signal",
                "name": waiter.name,
                "since": self._time(waiter.since_us),
                "until": due.get(id(waiter)),
            }
        for condition in instance.conditions.waiting:
            code = getattr(condition.predicate, "__code__", None)
            self._known[id(condition.future)] = {
                "kind": "condition",
                "predicate": format_site((code, 0)) if code is not None else "",
                "since": self._time(condition.since_us),
                "until": due.get(id(condition.future)),
            }

    def of(self, future: Any, frame: FrameType | None = None, level: int = 0) -> dict[str, Any]:
        """`frame` is where it is awaited, if that is known."""
        if isinstance(future, ActivityHandle):
            command = future.command
            return {"kind": "activity", "name": future.activity_name, "seq": command.seq}
        if isinstance(future, StepFuture):
            return _step(future)
        if isinstance(future, asyncio.Task):
            return {"kind": "task", "task": future.get_name()}
        limited = _limited(frame)
        if limited is not None:
            return self.of(limited, None, level + 1)
        known = self._known.get(id(future))
        if known is not None:
            return known
        children = getattr(future, "_children", None)  # gather's
        if children is not None:
            return self._parts("all", children, level)
        inner = _shielded(future)
        if inner is not None:
            return self._parts("shield", [inner], level)
        return self._inside_asyncio(frame, level) or {"kind": "future"}

    def _inside_asyncio(self, frame: FrameType | None, level: int) -> dict[str, Any] | None:
        """The functions of asyncio keep what they wait for in their variables."""
        if frame is None or not _is_asyncio(frame):
            return None
        variables = frame.f_locals
        function = frame.f_code.co_name
        if function == "_wait" and "fs" in variables:
            first = variables.get("return_when") == asyncio.FIRST_COMPLETED
            return self._parts("any" if first else "all", variables["fs"], level)
        owner = variables.get("self")
        if isinstance(owner, asyncio.TaskGroup):
            return self._parts("all", getattr(owner, "_tasks", ()), level)
        return None if owner is None else {"kind": type(owner).__name__.lower()}

    def _parts(self, kind: str, futures: Any, level: int) -> dict[str, Any]:
        waiting = [future for future in futures if not future.done()]
        waiting.sort(key=lambda future: getattr(future, "order", 0))
        shown = waiting[:_SHOWN_PARTS] if level < _SHOWN_LEVELS else []
        return {
            "kind": kind,
            "of": [self.of(future, None, level + 1) for future in shown],
            "more": len(waiting) - len(shown),
        }

    @staticmethod
    def _time(time_us: int) -> str:
        time = _EPOCH + timedelta(microseconds=time_us)
        return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _is_asyncio(frame: FrameType) -> bool:
    return os.path.dirname(frame.f_code.co_filename) == _ASYNCIO


def _limited(frame: FrameType | None) -> Any:
    """What `asyncio.wait_for` limits, where it waits on a future of its own
    (before Python 3.12)."""
    if frame is None or frame.f_code.co_name != "wait_for" or not _is_asyncio(frame):
        return None
    limited = frame.f_locals.get("fut")
    return limited if asyncio.isfuture(limited) and not limited.done() else None


def _step(future: StepFuture[Any]) -> dict[str, Any]:
    request = future.request
    if request is None:
        return {"kind": "step", "name": "", "seq": 0, "attempt": 0}
    return {
        "kind": "step",
        "name": request.name,
        "seq": request.seq,
        "attempt": request.attempt,
    }


def _shielded(future: Any) -> Any:
    """What `asyncio.shield` protects: known only to the callbacks of its future."""
    for callback, _ in getattr(future, "_callbacks", None) or ():
        if not getattr(callback, "__qualname__", "").startswith("shield.<locals>"):
            continue
        for cell in callback.__closure__ or ():
            inner = cell.cell_contents
            if asyncio.isfuture(inner) and inner is not future:
                return inner
    return None

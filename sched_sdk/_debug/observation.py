"""Looking on while code runs: who asked for what, with which locals, and how the
function ended.

Only the last segment is watched closely, the one that diverges: copying locals
costs more than everything else that replay does.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from sched_sdk._debug.variables import frame_of
from sched_sdk._replay.call_sites import format_site, is_user_code, user_frames
from sched_sdk._replay.commands import CancelTimer, Command, RequestCancelActivity
from sched_sdk._replay.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator
    from types import FrameType

    from sched_sdk._debug.model import Frame
    from sched_sdk._definitions import WorkflowDefinition
    from sched_sdk._replay.journal import Request

__all__ = [
    "FunctionFrame",
    "ObservingJournal",
    "awaited_frames",
    "command_of",
    "frames_of_error",
    "frames_of_task",
]

_MAXIMUM_DEPTH = 100
_CANCELLATIONS = (CancelTimer, RequestCancelActivity)


class ObservingJournal(Journal):
    """Remembers every request; with `closely` also the frames that made it."""

    __slots__ = ("_frames", "_requests", "closely")

    def __init__(self) -> None:
        super().__init__()
        self.closely = False
        self._requests: list[Request] = []
        self._frames: list[tuple[Request, tuple[Frame, ...]]] = []

    def add(self, request: Request) -> None:
        super().add(request)
        self._requests.append(request)
        if self.closely:
            self._frames.append((request, tuple(frame_of(frame) for frame in user_frames(2))))

    def frames_behind(self, command: object) -> tuple[Frame, ...]:
        """The frames in which a command was asked for; none if it is not known."""
        for request, frames in self._frames:
            if request is command or command_of(request) is command:
                return frames
        return ()

    def sites(self) -> dict[tuple[int, bool], str]:
        """Where the code asks for each thing now: by number, and whether it is
        its cancellation."""
        found: dict[tuple[int, bool], str] = {}
        for request in self._requests:
            command: Any = command_of(request) or request
            key = (getattr(command, "seq", 0), isinstance(command, _CANCELLATIONS))
            found[key] = format_site(getattr(command, "site", None))
        return found


def command_of(request: Request) -> Command | None:
    """Activities and timers are requests that carry their command."""
    for name in ("_command", "command"):
        command = getattr(request, name, None)
        if isinstance(command, Command):
            return command
    return None


class FunctionFrame:
    """The frame of a workflow function, also when it has returned.

    A coroutine that has ended gives its frame up; whoever took it before keeps
    it, with the locals as they were last.
    """

    def __init__(self) -> None:
        self._frame: FrameType | None = None

    def of(self, definition: WorkflowDefinition) -> WorkflowDefinition:
        """The same workflow, with a function whose frame is kept here."""

        def keep(*arguments: Any) -> Awaitable[Any]:
            coroutine = definition.fn(*arguments)
            self._frame = getattr(coroutine, "cr_frame", None)
            return coroutine

        return dataclasses.replace(definition, fn=keep)

    def last(self) -> Frame | None:
        """As it stands now, or stood when the function ended; None before the start."""
        return None if self._frame is None else frame_of(self._frame)


def frames_of_task(coroutine: Any) -> tuple[Frame, ...]:
    """The frames of a coroutine that waits, innermost first."""
    return tuple(frame_of(frame) for frame in reversed(list(awaited_frames(coroutine))))


def awaited_frames(coroutine: Any) -> Iterator[FrameType]:
    """The app's frames of a coroutine that waits, outermost first."""
    for _ in range(_MAXIMUM_DEPTH):
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            return
        if is_user_code(frame.f_code):
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)


def frames_of_error(error: BaseException) -> tuple[Frame, ...]:
    """The user's frames that an exception came through, innermost first; those of a
    group behind those of its first exception."""
    inner: tuple[Frame, ...] = ()
    if isinstance(error, BaseExceptionGroup):
        inner = frames_of_error(error.exceptions[0])
    frames: list[Frame] = []
    trace = error.__traceback__
    while trace is not None and len(frames) < _MAXIMUM_DEPTH:
        if is_user_code(trace.tb_frame.f_code):
            frames.append(frame_of(trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    return inner + tuple(reversed(frames))

"""A divergence as a position like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sched_sdk._debug.model import Frame, Waiting
from sched_sdk._debug.sources import find_source
from sched_sdk._stepping.looking import Moment
from sched_sdk._stepping.model import Coroutine

if TYPE_CHECKING:
    from sched_sdk._debug.model import Divergence

__all__ = ["divergence_moment"]

_MAIN = "workflow"


def divergence_moment(divergence: Divergence, time_us: int) -> Moment:
    """Where the code does something else, and where its tasks wait there."""
    coroutines = tuple(map(_coroutine, divergence.waits))
    frames = divergence.frames
    if not frames:
        frames = next((one.frames for one in coroutines if one.current), ())
    return Moment(frames, coroutines, 0, time_us)


def _coroutine(waiting: Waiting) -> Coroutine:
    file, _, line = waiting.call_site.rpartition(":")
    path = find_source(file)
    frames: tuple[Frame, ...] = ()
    if path is not None and line.isdigit():
        frame = Frame(
            function=waiting.function,
            call_site=waiting.call_site,
            file=str(path),
            line=int(line),
            variables=(),
        )
        frames = (frame,)
    return Coroutine(
        task=waiting.task,
        frames=frames,
        waits_on=waiting.waits_on,
        current=waiting.task == _MAIN,
    )

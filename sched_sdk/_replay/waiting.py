"""Where the tasks of a run wait: for `why`, and for error messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sched_sdk._replay.call_sites import CallSite, format_site, is_user_code

if TYPE_CHECKING:
    from sched_sdk._replay.loop import ReplayLoop

__all__ = ["Wait", "waits_of"]

_MAXIMUM_DEPTH = 1_000


class Wait(NamedTuple):
    task: str
    """The task's name; the workflow function's is "workflow"."""
    call_site: str
    """`file:line` of the innermost await in user code; may be empty."""
    function: str
    """The function that stands there."""


def waits_of(loop: ReplayLoop) -> list[Wait]:
    return [_wait_of(task.get_name(), task.get_coro()) for task in loop.tasks.values()]


def _wait_of(name: str, coroutine: Any) -> Wait:
    site: CallSite = None
    function = ""
    for _ in range(_MAXIMUM_DEPTH):
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        if frame is None:
            break
        if is_user_code(frame.f_code):
            site = (frame.f_code, frame.f_lasti)
            function = frame.f_code.co_qualname
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return Wait(name, format_site(site), function)

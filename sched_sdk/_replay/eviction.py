"""Taking a run out of memory without a trace.

Every coroutine is closed in its own context, so that `finally` blocks see the
context variables they know. They may run, but whatever they ask for is
refused: what a run does is in its history, and this is not the run's doing.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from contextvars import Context
    from types import CoroutineType

    from sched_sdk._replay.futures import ReplayTask
    from sched_sdk._replay.instance import Instance

__all__ = ["evict"]

# A coroutine may wait again while it is closed (a TaskGroup does for its
# tasks); then it is closed again.
_MAXIMUM_CLOSINGS = 32


def evict(instance: Instance) -> None:
    journal = instance.journal
    if journal.evicted:
        return
    journal.evicted = True
    loop = instance.loop
    loop.ready.clear()
    loop.enter()
    try:
        for task in list(loop.tasks.values()):
            _close_task(task)
        for generator in loop.unfinished_generators():
            _close_generator(generator)
    finally:
        loop.leave()
    loop.tasks.clear()
    journal.fresh.clear()
    journal.produced.clear()
    journal.activities.clear()
    journal.timers.clear()
    journal.steps.clear()


def _close_task(task: ReplayTask[Any]) -> None:
    """Innermost first, each by itself: one that refuses to close must not be
    left behind by those that await it."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]  # destroyed on purpose
    awaited: list[Any] = []
    coroutine: Any = task.get_coro()
    while getattr(coroutine, "cr_frame", None) is not None:
        awaited.append(coroutine)
        coroutine = coroutine.cr_await
    for innermost in reversed(awaited):
        _close_coroutine(innermost, task.context)


def _close_coroutine(coroutine: CoroutineType[Any, Any, Any], context: Context) -> None:
    for _ in range(_MAXIMUM_CLOSINGS):
        with contextlib.suppress(BaseException):  # nobody is left to hear it
            context.run(coroutine.close)
        if coroutine.cr_frame is None:
            return


def _close_generator(generator: AsyncGenerator[Any, Any]) -> None:
    with contextlib.suppress(BaseException):  # nobody is left to hear it
        generator.aclose().send(None)

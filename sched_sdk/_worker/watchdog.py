"""Notices from a thread when the event loop stands still, and says why.

The loop moves a mark four times a second. When the mark is old, the stack of
the loop's thread is looked at; the innermost frame that is neither Python's
nor sched's is what blocks. Without such a frame (the machine was suspended,
another thread holds the interpreter) there is nothing to tell.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import sysconfig
import threading
import time
from typing import TYPE_CHECKING

from sched_sdk._activations import ActivationGuard

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["Unwatched", "Watchdog"]

logger = logging.getLogger("sched.worker")

_BEAT_S = 0.25
# A turn that comes so late was held up by code, not by the system's scheduler.
_LATE_S = 0.05
_SDK = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARIES = tuple(
    {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_ADVICE = (
    "While it blocks, no other workflow or heartbeat moves. Make it a plain `def` activity, "
    "which gets a thread, or move the work into `ctx.step`."
)


class Unwatched:
    """In the place of a watchdog, where there are no threads."""

    blocked_s = 0.0

    def __init__(self) -> None:
        self.guard = ActivationGuard(float("inf"))

    def close(self) -> None:
        """There is nothing to end."""


class Watchdog:
    """Made in the event loop that it watches; `close` ends its thread."""

    def __init__(self, *, warn_after_s: float = 1.0, interrupt_after_s: float = 10.0) -> None:
        self._loop = asyncio.get_running_loop()
        self.blocked_s = 0.0
        """For how long, in all, the loop could not take its turn."""
        self._thread_id = threading.get_ident()
        self._warn_after_s = warn_after_s
        self._beat_s = min(_BEAT_S, warn_after_s / 4)
        self.guard = ActivationGuard(interrupt_after_s)
        self._mark = time.monotonic()
        self._closed = threading.Event()
        self._timer = self._loop.call_soon(self._beat)
        threading.Thread(target=self._watch, name="sched-watchdog", daemon=True).start()

    def close(self) -> None:
        self._closed.set()
        self._timer.cancel()

    def _beat(self) -> None:
        now = time.monotonic()
        late = now - self._mark - self._beat_s
        if late > _LATE_S:
            self.blocked_s += late
        self._mark = now
        self._timer = self._loop.call_later(self._beat_s, self._beat)

    def _watch(self) -> None:
        culprit = ""
        blocked_mark = 0.0
        while not self._closed.wait(self._beat_s):
            mark = self._mark
            if culprit and mark != blocked_mark:
                total = mark - blocked_mark
                logger.warning("the event loop was blocked for %.1f s by %s", total, culprit)
                culprit = ""
            standstill = time.monotonic() - mark
            if not culprit and standstill > self._warn_after_s:
                culprit = self._culprit()
                blocked_mark = mark
                if culprit:
                    logger.warning(
                        "the event loop is blocked, for %.1f s so far, by %s. %s",
                        standstill,
                        culprit,
                        _ADVICE,
                    )
            interrupted = self.guard.check()
            if interrupted:
                logger.error("workflow %s blocked the event loop; interrupting it", interrupted)

    def _culprit(self) -> str:
        """`crunch (app.py:42)`: whose code the loop's thread is in."""
        frame: FrameType | None = sys._current_frames().get(self._thread_id)
        while frame is not None:
            path = frame.f_code.co_filename
            if not path.startswith((_SDK, *_LIBRARIES, "<")):
                return f"{frame.f_code.co_qualname} ({path}:{frame.f_lineno})"
            frame = frame.f_back
        return ""

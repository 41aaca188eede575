"""Interrupts workflow code that does not give the event loop back.

While workflow code runs, nothing else does in this thread: no heartbeat, no
renewal, no other workflow. So after `limit_s` an exception is raised inside
the code from the watchdog's thread, and the task fails as BLOCKED.

The exception must never hit anything but the activation it was meant for. It
is sent under a lock, and only while the activation it was meant for is still
marked as running; and whoever ends an activation takes back what was sent and
has not arrived yet.
"""

from __future__ import annotations

import ctypes
import threading

# By name: the guard of workflow code replaces the function in its module.
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ActivationGuard", "Interruption"]

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc


class Interruption(BaseException):
    """Raised inside workflow code that blocks; no Exception, so that the
    code's own `except Exception` lets it pass."""


class ActivationGuard:
    """Marks when workflow code runs in the event loop's thread."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._thread_id = threading.get_ident()
        self._lock = threading.Lock()
        self._began = 0.0
        self._workflow = ""
        self._interrupted_at = 0.0
        self._blocked_for = 0.0

    def run(self, workflow: str, work: Callable[[], None]) -> tuple[BaseException | None, float]:
        """Run workflow code; `workflow` names it. Returns what it raised, and
        the seconds after which it was interrupted (0 if it was not)."""
        error: BaseException | None = None
        try:
            self._enter(workflow)
            try:
                work()
            except Interruption:
                pass
            except BaseException as raised:
                error = raised
            return error, self._leave()
        except Interruption:  # arrived on the way out
            return error, self._leave()

    def _enter(self, workflow: str) -> None:
        self._workflow = workflow
        self._blocked_for = 0.0
        self._began = monotonic()

    def _leave(self) -> float:
        while True:
            try:
                with self._lock:
                    self._began = self._interrupted_at = 0.0
                    if self._blocked_for:
                        self._take_back()
                return self._blocked_for
            except Interruption:  # arrived just here
                continue

    def _take_back(self) -> None:
        """Let the interruption that may still be on its way arrive here.

        It could be withdrawn with None instead. But then CPython 3.11 keeps the
        note that something is on its way: all code gets slower, and code that is
        profiled or debugged never ends.
        """
        try:
            _set_async_exc(ctypes.c_ulong(self._thread_id), ctypes.py_object(Interruption))
            while True:
                pass
        except Interruption:
            pass

    def check(self) -> str:
        """For the watchdog's thread: interrupt what has run for too long, again
        if the code goes on. Returns the workflow, or nothing."""
        with self._lock:
            now = monotonic()
            since = max(self._began, self._interrupted_at)
            if not self._began or now - since < self._limit_s:
                return ""
            self._interrupted_at = now
            self._blocked_for = now - self._began
            _set_async_exc(ctypes.c_ulong(self._thread_id), ctypes.py_object(Interruption))
            return self._workflow

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
import time

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

    def enter(self, workflow: str) -> None:
        """Workflow code begins to run; `workflow` names it."""
        self._workflow = workflow
        self._blocked_for = 0.0
        self._began = time.monotonic()

    def leave(self) -> float:
        """Workflow code has given the loop back. The seconds after which it
        was interrupted; 0 if it was not."""
        while True:
            try:
                with self._lock:
                    self._began = self._interrupted_at = 0.0
                    if self._blocked_for:
                        _set_async_exc(ctypes.c_ulong(self._thread_id), None)
                return self._blocked_for
            except Interruption:  # arrived just here
                continue

    def check(self) -> str:
        """For the watchdog's thread: interrupt what has run for too long, again
        if the code goes on. Returns the workflow, or nothing."""
        with self._lock:
            now = time.monotonic()
            since = max(self._began, self._interrupted_at)
            if not self._began or now - since < self._limit_s:
                return ""
            self._interrupted_at = now
            self._blocked_for = now - self._began
            _set_async_exc(ctypes.c_ulong(self._thread_id), ctypes.py_object(Interruption))
            return self._workflow

"""Ctrl-C before there is an event loop that hears of it.

Python raises KeyboardInterrupt wherever it is. Where that is a callback of the
import system, or a finalizer, the exception is only printed, and the program goes
on as if nobody had typed anything. So the interrupt is remembered as well.
"""

from __future__ import annotations

import signal
import sys

# Checkers know the name; `typing` takes as long to import as the rest of what comes
# before an interrupt is heard.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

__all__ = ["check", "remember"]

_came = False


def remember() -> None:
    """From now on, unless the process does not hear of interrupts at all."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    signal.signal(signal.SIGINT, _interrupt)
    print_it = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if unraisable.exc_type is not KeyboardInterrupt:
            print_it(unraisable)

    sys.unraisablehook = hook


def check() -> None:
    """Raise KeyboardInterrupt if one came and was lost. From here on Python's own
    handler is in charge again, which event loops replace by theirs."""
    if signal.getsignal(signal.SIGINT) is _interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if _came:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    global _came  # noqa: PLW0603 - there is one keyboard
    _came = True
    signal.default_int_handler(number, frame)

"""Silence for one thread: what code prints and logs there was said before.

Other threads of the process go on printing and logging meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hushed"]


class _Stream:
    """Stands in front of a stream, and drops what one thread writes."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._hushed = threading.get_ident()

    def write(self, text: str) -> int:
        if threading.get_ident() == self._hushed:
            return len(text)
        written: int = self._stream.write(text)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Drop what this thread prints, and what it hands to loggers."""
    thread = threading.get_ident()
    call_handlers = logging.Logger.callHandlers

    def call_handlers_of_others(self: logging.Logger, record: logging.LogRecord) -> None:
        if threading.get_ident() != thread:
            call_handlers(self, record)

    outputs = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Stream(outputs[0]), _Stream(outputs[1])
    logging.Logger.callHandlers = call_handlers_of_others  # type: ignore[method-assign]  # of this thread only, for as long as the block runs
    try:
        yield
    finally:
        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]  # as it was
        sys.stdout, sys.stderr = outputs

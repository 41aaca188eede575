"""Heartbeats of one activity, as often as the engine needs them.

An activity may call `heartbeat` in a tight loop, from any thread. The first
goes out at once; then at most one per interval, always with what was said
last.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sched_sdk._client.transport import check_payload

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from sched_sdk.api.v1 import common_pb2

__all__ = ["Heartbeats", "interval_s"]

_LONGEST_INTERVAL_S = 10.0


def interval_s(heartbeat_timeout_us: int) -> float:
    """A third of the timeout, so that one late heartbeat does no harm."""
    if not heartbeat_timeout_us:
        return _LONGEST_INTERVAL_S
    return min(heartbeat_timeout_us / 3 / 1_000_000, _LONGEST_INTERVAL_S)


class Heartbeats:
    """`send` is called in the event loop's thread, in which this is made."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        interval: float,
        send: Callable[[common_pb2.Payload | None], None],
    ) -> None:
        self._loop = loop
        self._interval = interval
        self._send = send
        self._thread_id = threading.get_ident()
        self._details: common_pb2.Payload | None = None
        self._dirty = False
        # A send is due, or an interval is running.
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def beat(self, details: common_pb2.Payload | None) -> None:
        """The activity is alive; from any thread. Raises LimitExceededError
        for details that are too large."""
        if details is not None:
            check_payload(details, "what the heartbeat says")
            self._details = details
        # First the mark, then the look: `_interval_over` does it the other way
        # round, so that one of the two always sees the other.
        self._dirty = True
        if self._scheduled:
            return
        self._scheduled = True
        if threading.get_ident() == self._thread_id:
            self._send_now()
        else:
            self._loop.call_soon_threadsafe(self._send_now)

    def flush(self) -> bool:
        """Send what is still unsent. Whether there was something."""
        if not self._dirty or self._closed:
            return False
        self._dirty = False
        self._send(self._details)
        return True

    def close(self) -> None:
        """Nothing is sent any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def _send_now(self) -> None:
        if self._closed:
            return
        self.flush()
        self._timer = self._loop.call_later(self._interval, self._interval_over)

    def _interval_over(self) -> None:
        self._scheduled = False
        if self._dirty:
            self._scheduled = True
            self._send_now()

"""What a worker has to say, until the stream's writer takes it.

Whatever has gathered leaves in one frame. Nothing in here is a promise: what
must reach the engine is kept by its owner until it is acknowledged, and said
again in the first frame of the next stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from sched_sdk._client.transport import frame_entry
from sched_sdk.api.v1 import worker_service_pb2

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = [
    "ACTIVITY_REPORTS",
    "HEARTBEATS",
    "QUERY_ANSWERS",
    "SEGMENTS",
    "TASK_FAILURES",
    "Outbox",
    "encode_entry",
]

# Field numbers of WorkerFrame.
SEGMENTS = worker_service_pb2.WorkerFrame.SEGMENTS_FIELD_NUMBER
TASK_FAILURES = worker_service_pb2.WorkerFrame.TASK_FAILURES_FIELD_NUMBER
ACTIVITY_REPORTS = worker_service_pb2.WorkerFrame.ACTIVITY_REPORTS_FIELD_NUMBER
HEARTBEATS = worker_service_pb2.WorkerFrame.HEARTBEATS_FIELD_NUMBER
QUERY_ANSWERS = worker_service_pb2.WorkerFrame.QUERY_ANSWERS_FIELD_NUMBER

_FRAME_BYTES = 1024 * 1024
_BOUNDARY = b""
# A frame of no bytes would be none.
_RENEWS_NOTHING = frame_entry(worker_service_pb2.WorkerFrame.RENEWALS_FIELD_NUMBER, b"")


def encode_entry(field_number: int, message: Message) -> bytes:
    """One element of a repeated field of WorkerFrame."""
    return frame_entry(field_number, message.SerializeToString())


class Outbox:
    """Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._entries: deque[bytes] = deque()
        self._numbers = worker_service_pb2.WorkerFrame()
        self._has_numbers = False
        self._waiter: asyncio.Future[None] | None = None
        self.closing = False

    def put(self, entry: bytes) -> None:
        """An encoded entry (see `encode_entry`)."""
        self._entries.append(entry)
        self._wake()

    def end_frame(self) -> None:
        """What comes next leaves in a later frame: within a frame the engine
        is free in the order of different kinds."""
        self._entries.append(_BOUNDARY)

    def renew(self, dispatches: list[int]) -> None:
        self._numbers.renewals.extend(dispatches)
        self._numbers_added()

    def say_something(self) -> None:
        """Let the engine hear that the worker is there, if nothing else is about to."""
        if not self._entries and not self._has_numbers:
            self.put(_RENEWS_NOTHING)

    def hand_back(self, dispatch: int) -> None:
        self._numbers.returned.append(dispatch)
        self._numbers_added()

    def evicted(self, run_id: str) -> None:
        self._numbers.evicted_run_ids.append(run_id)
        self._numbers_added()

    def drain(self) -> None:
        self._numbers.drain = True
        self._numbers_added()

    def keep(self, runs: worker_service_pb2.KeepRuns) -> None:
        self._numbers.keep_runs.CopyFrom(runs)
        self._numbers_added()

    def close(self) -> None:
        """End the stream once everything is written."""
        self.closing = True
        self._wake()

    def reset(self) -> None:
        """Forget everything: a new stream begins."""
        self._entries.clear()
        self._numbers.Clear()
        self._has_numbers = False

    def take(self) -> bytes:
        """The next frame; empty when there is nothing to say."""
        entries = self._entries
        parts: list[bytes] = []
        size = 0
        while entries:
            entry = entries[0]
            if size and size + len(entry) > _FRAME_BYTES:
                break
            entries.popleft()
            if entry is _BOUNDARY:
                if size:
                    break
                continue
            parts.append(entry)
            size += len(entry)
        if self._has_numbers and not entries:
            parts.append(self._numbers.SerializeToString())
            self._numbers.Clear()
            self._has_numbers = False
        return b"".join(parts)

    async def wait(self) -> None:
        """Until there may be something to take."""
        if self._entries or self._has_numbers or self.closing:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _numbers_added(self) -> None:
        self._has_numbers = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

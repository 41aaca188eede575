"""What the client's and the worker's streams have in common.

Frames are put together from entries that were serialized one by one: the
encoding of a repeated field is the concatenation of its elements, each behind
its tag and length. So a message is encoded once, its size is known before it
is sent, and sending it again after a reconnect costs nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from typing import TYPE_CHECKING

# gRPC's core writes a line to stderr whenever an engine restarts; what matters
# of that is logged here. Read when grpc is imported; a user's own choice stands.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

import grpc.aio

from sched_sdk.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sched_sdk.api.v1 import common_pb2

__all__ = [
    "MAXIMUM_FRAME_BYTES",
    "MAXIMUM_MESSAGE_BYTES",
    "MAXIMUM_PAYLOAD_BYTES",
    "Backoff",
    "call_details",
    "check_payload",
    "closing_is_an_error",
    "connection_closed",
    "default_identity",
    "frame_entry",
    "heed_cancellation",
    "identity_bytes",
    "megabytes",
]

MAXIMUM_FRAME_BYTES = 256 * 1024
"""Entries are gathered into one frame up to this size; a larger entry travels alone."""
# The engine takes 16 MiB; the frame around a message needs some of it.
MAXIMUM_MESSAGE_BYTES = 16 * 1024 * 1024 - 1024
MAXIMUM_PAYLOAD_BYTES = 2 * 1024 * 1024


def heed_cancellation() -> None:
    """Raise CancelledError if the current task was cancelled and does not know.

    A call that fails in the very moment in which its reader is cancelled raises
    gRPC's own error, and the cancellation is gone. A loop of our own that handles
    that error asks here before it goes on; else it would never end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def connection_closed() -> grpc.aio.AioRpcError:
    """What a call fails with whose connection is gone."""
    nothing = grpc.aio.Metadata()
    words = "the connection was closed"
    return grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, nothing, nothing, words, words)


@contextlib.contextmanager
def closing_is_an_error() -> Iterator[None]:
    """A connection that is closed fails the calls on it with AioRpcError, whichever
    way it is noticed.

    gRPC cancels such calls, so that whoever reads gets CancelledError as if it had
    been cancelled itself; a call that begins too late gets UsageError.
    """
    try:
        yield
    except (asyncio.CancelledError, grpc.aio.UsageError):
        heed_cancellation()
        raise connection_closed() from None


def identity_bytes(data: bytes) -> bytes:
    """The serializer of frames that are bytes already."""
    return data


def frame_entry(field_number: int, data: bytes) -> bytes:
    """One element of a repeated message field (number below 16) of a frame."""
    size = len(data)
    if size < 0x80:
        return b"%c%c%b" % (field_number << 3 | 2, size, data)
    header = bytearray((field_number << 3 | 2,))
    while size >= 0x80:
        header.append(size & 0x7F | 0x80)
        size >>= 7
    header.append(size)
    return bytes(header) + data


def default_identity() -> str:
    """ "pid@host", for people."""
    return f"{os.getpid()}@{socket.gethostname()}"


def megabytes(size: int) -> str:
    """A size for people: "3.1 MiB"."""
    return f"{size / (1024 * 1024):.1f} MiB"


def check_payload(payload: common_pb2.Payload, what: str) -> None:
    """Raises LimitExceededError when a payload is over 2 MiB; `what` names it."""
    size = len(payload.data)
    if size > MAXIMUM_PAYLOAD_BYTES:
        raise LimitExceededError(
            f"{what} is {megabytes(size)} when encoded; the limit is "
            f"{megabytes(MAXIMUM_PAYLOAD_BYTES)}. Keep large data in a file or a bucket "
            "and pass its name."
        )


class Backoff:
    """Waits between attempts: the first at once, then doubling, with jitter."""

    def __init__(
        self,
        *,
        first: float = 0.025,
        cap: float = 1.0,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first = first
        self._cap = cap
        self._uniform = uniform
        self._failures = 0

    def reset(self) -> None:
        """An attempt succeeded."""
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait before the next attempt; between half and the whole
        of the current step."""
        step = min(self._first * 2 ** min(self._failures, 16), self._cap)
        self._failures += 1
        return self._uniform(step / 2, step)


# What gRPC says at length, in the words of people.
_SHORT_DETAILS = {
    "Connection refused": "connection refused",
    "hostname lookup error": "the host name is not known",
    "DNS resolution failed": "the host name is not known",
    "Connection reset": "the connection broke",
    "Socket closed": "the connection broke",
    "Cancelling all calls": "it is shutting down",
    "tcp handshaker shutdown": "it does not answer",
}


def call_details(error: grpc.aio.AioRpcError) -> str:
    """What a failed call says of itself, on one line, for people."""
    details = " ".join((error.details() or "").split())
    for mark, short in _SHORT_DETAILS.items():
        if mark in details:
            return short
    return details or error.code().name

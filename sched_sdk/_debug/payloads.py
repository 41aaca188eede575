"""Payloads that nobody here can read, such as those of a codec that is not configured.

Handed to the code they would look like a mistake of the code. So they are found
before a replay begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sched_sdk._capture.events import type_name
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from sched_sdk.api.v1 import common_pb2

__all__ = ["check_encodings"]

_READABLE = frozenset(("", "json", "binary"))
# What is handed to the code.
_INPUTS = ("workflow_started", "signal_received")
_RESULTS = ("activity_completed", "step_completed")


def check_encodings(events: Iterable[history_pb2.HistoryEvent]) -> None:
    """Raises PayloadError for the first payload that cannot be handed to code."""
    for event in events:
        for payload in _payloads_of(event):
            if payload.encoding not in _READABLE:
                # Who encrypts names the key behind the encoding.
                encoding, _, key = payload.encoding.partition(";key=")
                needed = f"the key {key!r}" if key else "the key, if there is one,"
                raise PayloadError(
                    f"event {event.event_id} ({type_name(event)}) has a payload encoded as "
                    f"{encoding!r}, which nothing here can read. Replay needs the codec and "
                    f"{needed} that it was written with."
                )


def _payloads_of(event: history_pb2.HistoryEvent) -> Iterator[common_pb2.Payload]:
    kind = event.WhichOneof("attributes")
    if kind in _INPUTS:
        yield from getattr(event, kind).input
    elif kind in _RESULTS:
        yield getattr(event, kind).result

"""Pending records: engine-private, so MessagePack of the structs themselves.

msgspec ignores fields it does not know and defaults those that are missing,
which lets an older record be read by a newer engine and the other way round.
"""

from __future__ import annotations

from typing import overload

import msgspec

from sched_server.core.state import ActivityRecord, WorkflowTaskRecord

_encoder = msgspec.msgpack.Encoder()
_activity = msgspec.msgpack.Decoder(ActivityRecord)
_task = msgspec.msgpack.Decoder(WorkflowTaskRecord)


def encode_activity_record(record: ActivityRecord) -> bytes:
    return _encoder.encode(record)


def encode_task_record(record: WorkflowTaskRecord) -> bytes:
    return _encoder.encode(record)


@overload
def decode_record(data: bytes, kind: type[ActivityRecord]) -> ActivityRecord: ...
@overload
def decode_record(data: bytes, kind: type[WorkflowTaskRecord]) -> WorkflowTaskRecord: ...
def decode_record(
    data: bytes, kind: type[ActivityRecord] | type[WorkflowTaskRecord]
) -> ActivityRecord | WorkflowTaskRecord:
    if kind is ActivityRecord:
        return _activity.decode(data)
    return _task.decode(data)

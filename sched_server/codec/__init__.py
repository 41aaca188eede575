"""Between the core's structs and what is stored and sent.

Events are serialized once, when they are decided; the store, workers and
clients get those bytes as they are.
"""

from .commands import command_from_proto
from .events import decode_event, encode_event, event_from_proto
from .records import decode_record, encode_activity_record, encode_task_record
from .values import (
    failure_from_proto,
    failure_to_proto,
    payload_from_proto,
    payload_to_proto,
    payloads_from_proto,
)

__all__ = [
    "command_from_proto",
    "decode_event",
    "decode_record",
    "encode_activity_record",
    "encode_event",
    "encode_task_record",
    "event_from_proto",
    "failure_from_proto",
    "failure_to_proto",
    "payload_from_proto",
    "payload_to_proto",
    "payloads_from_proto",
]

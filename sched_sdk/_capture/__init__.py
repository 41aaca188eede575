"""Captured histories: one run as a JSON document that replays as the engine's does.

    fields      the fields of an event as JSON's own types, and back
    events      one event as an object, exactly
    redaction   values that must not be in the document
    document    the whole: written, read, and what may be wrong with a file

The shape of an event is that of `sched workflow history --output json`. What
JSON alone cannot say about it stands beside its attributes, so that reading an
event gives the stored one, bit by bit. docs/capture.md describes the format.

Pure but for `read_capture`, which reads a file.
"""

from sched_sdk._capture.document import (
    FORMAT,
    FORMAT_VERSION,
    CapturedHistory,
    dump_capture,
    parse_capture,
    read_capture,
)
from sched_sdk._capture.redaction import Redaction, redact

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "CapturedHistory",
    "Redaction",
    "dump_capture",
    "parse_capture",
    "read_capture",
    "redact",
]

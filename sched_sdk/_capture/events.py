"""One event as a JSON object, exactly.

    event_id, type, time, attributes   as in `sched workflow history -o json`
    may_ignore  true if a reader that does not know the type may skip the event
    encodings   by path, for payloads that are not plain JSON
    redacted    paths whose values were replaced
    stored      the stored event in base64, where the rest does not give it back

`stored` is rare: JSON in an unusual spelling, or an event of a newer engine.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError

from sched_sdk._capture.fields import fill, iso_time, plain_fields, time_from_iso
from sched_sdk.api.v1 import history_pb2

__all__ = ["event_from_json", "event_to_json", "type_name"]

Event = history_pb2.HistoryEvent

UNKNOWN = "Unknown"

# By the name that people see: the field of the event, and its type's number.
_TYPES = {
    field.message_type.name: (
        field.name,
        history_pb2.EventType.Value(f"EVENT_TYPE_{field.name.upper()}"),
    )
    for field in Event.DESCRIPTOR.oneofs_by_name["attributes"].fields
    if field.message_type is not None
}


def type_name(event: Event) -> str:
    """`ActivityScheduled`; `Unknown` for what a newer engine wrote."""
    which = event.WhichOneof("attributes")
    name: str = getattr(event, which).DESCRIPTOR.name if which else UNKNOWN
    return name


def event_to_json(event: Event) -> dict[str, Any]:
    """The object of an event, ready for `json.dumps`."""
    encodings: dict[str, str] = {}
    which = event.WhichOneof("attributes")
    data: dict[str, Any] = {
        "event_id": event.event_id,
        "type": type_name(event),
        "time": iso_time(event.time_us),
        "attributes": plain_fields(getattr(event, which), encodings) if which else {},
    }
    if event.may_ignore:
        data["may_ignore"] = True
    if encodings:
        data["encodings"] = encodings
    if not _gives_back(data, event):
        data["stored"] = base64.b64encode(event.SerializeToString()).decode()
    return data


def _gives_back(data: dict[str, Any], event: Event) -> bool:
    try:
        return event_from_json(json.loads(json.dumps(data)), exact=True) == event
    except ValueError:
        return False


def event_from_json(data: Mapping[str, Any], *, exact: bool) -> Event:
    """The event of an object. `exact` is False for objects that have no
    `encodings`, those of `history -o json`. Raises ValueError, which says what
    is wrong with the object."""
    stored = data.get("stored")
    if stored is not None:
        try:
            return Event.FromString(base64.b64decode(stored, validate=True))
        except (TypeError, binascii.Error, DecodeError) as error:
            raise ValueError("`stored` is not a stored event") from error
    known = _TYPES.get(data["type"])
    if known is None:
        raise ValueError(f"there is no event type {data['type']!r}")
    field, number = known
    event = Event(
        event_id=data["event_id"],
        time_us=time_from_iso(data["time"]),
        type=number,
        may_ignore=bool(data.get("may_ignore")),
    )
    attributes = getattr(event, field)
    attributes.SetInParent()
    fill(attributes, data["attributes"], data.get("encodings", {}) if exact else None)
    return event

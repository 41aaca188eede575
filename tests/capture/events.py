"""Events of every type, for hypothesis, from their description."""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

from sched_sdk.api.v1 import history_pb2
from sched_sdk.api.v1.common_pb2 import Payload

Event = history_pb2.HistoryEvent

ATTRIBUTES = {field.name: field for field in Event.DESCRIPTOR.oneofs_by_name["attributes"].fields}
"""By the name of the event's field."""

_FIRST_US = 1_700_000_000_000_000
_HUNDRED_YEARS_US = 100 * 366 * 24 * 3600 * 1_000_000

text = st.text(st.characters(codec="utf-8"), max_size=12)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(text | st.just("base64"), inner, max_size=3)
    ),
    max_leaves=6,
)
payloads = st.one_of(
    st.builds(Payload, data=json_values.map(msgspec.json.encode)),
    st.builds(
        Payload,
        data=json_values.map(
            lambda value: msgspec.json.format(msgspec.json.encode(value), indent=2)
        ),
    ),
    st.builds(Payload, encoding=st.just("json"), data=json_values.map(msgspec.json.encode)),
    st.builds(Payload, encoding=st.just("binary"), data=st.binary(max_size=12)),
    st.builds(Payload, encoding=text, data=st.binary(max_size=12)),
)


def messages(descriptor: Descriptor, depth: int = 0) -> st.SearchStrategy[Any]:
    """Messages with any of their fields."""
    kind = descriptor._concrete_class
    if kind is Payload:
        return payloads
    fields = {}
    for field in descriptor.fields:
        if field.message_type is descriptor and depth >= 2:
            continue
        values = _values(field, depth)
        fields[field.name] = st.lists(values, max_size=2) if field.is_repeated else values
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: kind(**given))


def _values(field: FieldDescriptor, depth: int) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        return messages(field.message_type, depth + (field.message_type is field.containing_type))
    if field.enum_type is not None:
        # One more: what a newer engine may write.
        return st.integers(0, len(field.enum_type.values))
    if field.name.endswith("_time_us"):
        return st.integers(_FIRST_US, _FIRST_US + _HUNDRED_YEARS_US)
    if field.name.endswith("_us"):
        return st.integers(0, _HUNDRED_YEARS_US)
    return {
        FieldDescriptor.CPPTYPE_STRING: text,
        FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
        FieldDescriptor.CPPTYPE_DOUBLE: st.floats(1, 1_000),
        FieldDescriptor.CPPTYPE_INT32: st.integers(0, 2**31 - 1),
        FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2**32 - 1),
        FieldDescriptor.CPPTYPE_INT64: st.integers(0, 2**63 - 1),
        FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2**64 - 1),
    }[field.cpp_type]


def events(name: str) -> st.SearchStrategy[Event]:
    """Events whose attributes are in the field `name`."""
    return st.builds(
        lambda time_us, may_ignore, attributes: Event(
            event_id=1,
            may_ignore=may_ignore,
            time_us=time_us,
            type=history_pb2.EventType.Value(f"EVENT_TYPE_{name.upper()}"),
            **{name: attributes},
        ),
        st.integers(_FIRST_US, _FIRST_US + _HUNDRED_YEARS_US),
        st.booleans(),
        messages(ATTRIBUTES[name].message_type),
    )

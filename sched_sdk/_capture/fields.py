"""The fields of an API message as JSON's own types, and back.

    *_time_us   an ISO 8601 time in UTC with microseconds, without the suffix
    *_us        a number of seconds, without the suffix
    enums       their names, without the prefix
    payloads    the value; raw bytes as {"base64": "…"}

Fields that are not set are left out. A payload that is not plain JSON is told
by its encoding, in a table by path (`input[0]`, `failure.details[1]`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from sched_sdk import _payloads
from sched_sdk.api.v1 import common_pb2
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
    from google.protobuf.message import Message

__all__ = ["fill", "iso_time", "plain_fields", "time_from_iso"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_JSON_ENCODINGS = ("", "json")
_BASE64 = "base64"


def iso_time(time_us: int) -> str:
    """Microseconds since 1970 as text."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def time_from_iso(text: str) -> int:
    """The same, backwards. Raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"the time {text!r} has no zone")
    return (time - _EPOCH) // _MICROSECOND


def plain_fields(message: Message, encodings: dict[str, str], path: str = "") -> dict[str, Any]:
    """The fields of a message that are set. `encodings` is filled."""
    plain: dict[str, Any] = {}
    for field, value in message.ListFields():
        name = _plain_name(field.name)
        here = f"{path}.{name}" if path else name
        if field.name.endswith("_time_us"):
            plain[name] = iso_time(value)
        elif field.name.endswith("_us"):
            plain[name] = timedelta(microseconds=value).total_seconds()
        elif field.is_repeated:
            plain[name] = [
                _plain_value(field, item, encodings, f"{here}[{index}]")
                for index, item in enumerate(value)
            ]
        else:
            plain[name] = _plain_value(field, value, encodings, here)
    return plain


def _plain_value(field: FieldDescriptor, value: Any, encodings: dict[str, str], path: str) -> Any:
    if isinstance(value, common_pb2.Payload):
        return _plain_payload(value, encodings, path)
    if field.message_type is not None:
        return plain_fields(value, encodings, path)
    if field.enum_type is not None:
        number = field.enum_type.values_by_number.get(value)
        return number.name.removeprefix(_prefix(field.enum_type)) if number else str(value)
    if isinstance(value, bytes):
        return {_BASE64: base64.b64encode(value).decode()}
    return value


def _plain_payload(payload: common_pb2.Payload, encodings: dict[str, str], path: str) -> Any:
    if payload.encoding:
        encodings[path] = payload.encoding
    if payload.encoding in _JSON_ENCODINGS:
        try:
            return _payloads.decode(payload)
        except PayloadError:
            encodings[path] = payload.encoding  # not JSON after all
    return {_BASE64: base64.b64encode(payload.data).decode()}


def fill(message: Message, plain: Mapping[str, Any], encodings: Mapping[str, str] | None) -> None:
    """Set the fields of a message from their plain form. Without `encodings`
    whatever looks like raw bytes is raw bytes. Names that this version does not
    know are left out. Raises ValueError."""
    _fill(message, plain, encodings, "")


def _fill(
    message: Message, plain: Mapping[str, Any], encodings: Mapping[str, str] | None, path: str
) -> None:
    if not isinstance(plain, Mapping):
        raise ValueError(f"{path or 'attributes'} is no object")
    known = _fields_of(message.DESCRIPTOR)
    for name, value in plain.items():
        field = known.get(name)
        if field is None:
            continue
        here = f"{path}.{name}" if path else name
        try:
            _set_field(message, field, value, encodings, here)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"{here} cannot be {value!r}") from error


def _set_field(
    message: Message,
    field: FieldDescriptor,
    value: Any,
    encodings: Mapping[str, str] | None,
    path: str,
) -> None:
    if field.message_type is not None:
        if field.is_repeated:
            for index, item in enumerate(value):
                _fill_message(
                    getattr(message, field.name).add(), item, encodings, f"{path}[{index}]"
                )
        else:
            inner = getattr(message, field.name)
            inner.SetInParent()
            _fill_message(inner, value, encodings, path)
    else:
        try:
            if field.is_repeated:
                getattr(message, field.name).extend(value)
            else:
                setattr(message, field.name, _scalar(field, value))
        except (ValueError, OverflowError) as error:
            raise TypeError from error  # the caller says where it is


def _fill_message(
    message: Message, value: Any, encodings: Mapping[str, str] | None, path: str
) -> None:
    if isinstance(message, common_pb2.Payload):
        _fill_payload(message, value, encodings, path)
    else:
        _fill(message, value, encodings, path)


def _fill_payload(
    payload: common_pb2.Payload, value: Any, encodings: Mapping[str, str] | None, path: str
) -> None:
    raw = _raw_bytes(value)
    if encodings is None:
        encoding = "" if raw is None else "binary"
    else:
        encoding = encodings.get(path, "")
        if path not in encodings:
            raw = None
    payload.encoding = encoding
    if raw is not None:
        payload.data = raw
    elif encoding in _JSON_ENCODINGS:
        payload.data = msgspec.json.encode(value)
    else:
        raise ValueError(f"{path} is encoded as {encoding!r} and needs {{'base64': …}}")


def _raw_bytes(value: Any) -> bytes | None:
    if isinstance(value, dict) and value.keys() == {_BASE64} and isinstance(value[_BASE64], str):
        try:
            return base64.b64decode(value[_BASE64], validate=True)
        except binascii.Error:
            return None
    return None


def _scalar(field: FieldDescriptor, value: Any) -> Any:
    if field.name.endswith("_time_us"):
        return time_from_iso(value)
    if field.name.endswith("_us"):
        return round(value * 1_000_000)
    if field.enum_type is not None:
        if not value.isascii():  # protobuf cannot look up half a surrogate pair
            raise ValueError(value)
        number = field.enum_type.values_by_name.get(_prefix(field.enum_type) + value)
        return int(value) if number is None else number.number
    if isinstance(value, dict):
        return _raw_bytes(value)
    return value


@cache
def _fields_of(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    return {_plain_name(field.name): field for field in descriptor.fields}


def _plain_name(name: str) -> str:
    return name.removesuffix("_us")


def _prefix(enum: EnumDescriptor) -> str:
    """Every enum's zero is called `<PREFIX>UNSPECIFIED`."""
    return enum.values[0].name.removesuffix("UNSPECIFIED")

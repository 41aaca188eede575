"""Values to payloads and back.

A payload is JSON (an empty `encoding`) or, for `bytes`, `bytearray` and
`memoryview` as the whole value, the raw bytes (`encoding = "binary"`).
Reading goes by annotation: the text `"2026-11-01"` becomes a `date` because a
parameter says so. Without an annotation (`Any`) JSON's own types come out.

The short path is one call into msgspec. Everything that explains an error
runs only after that call has failed.

Worth knowing:

- NaN and infinity are refused: JSON has no such numbers, and turning them into
  null would change data silently. `Decimal("NaN")` travels as text and is fine.
- Keys of a dict become text; `dict[int, str]` brings them back.
- Naive datetimes stay naive; an aware one comes back with its UTC offset, not
  with the name of its zone.
- `bytes` inside other values are base64 text.
- Fields that a type does not know are ignored, so that a type may grow.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from sched_sdk._payloads._decoders import build_decoder
from sched_sdk._payloads._explain import describe_encode_error, describe_non_finite
from sched_sdk._payloads._hooks import encode_hook
from sched_sdk.api.v1 import common_pb2
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["decode", "decoder_for", "encode", "encode_all"]

BINARY = "binary"

_BINARY_TYPES = (bytes, bytearray, memoryview)

_Payload = common_pb2.Payload
_encode_json = msgspec.json.Encoder(enc_hook=encode_hook).encode


def encode(value: object) -> common_pb2.Payload:
    """Encode one value. Raises PayloadError, which names the path of the field
    that does not fit."""
    if isinstance(value, _BINARY_TYPES):
        return _Payload(encoding=BINARY, data=bytes(value))
    try:
        data = _encode_json(value)
    except Exception as error:
        raise PayloadError(describe_encode_error(value, error)) from error
    # msgspec writes NaN and infinity as null; only then is a closer look due.
    if b"null" in data and value is not None:
        complaint = describe_non_finite(value)
        if complaint is not None:
            raise PayloadError(complaint)
    return _Payload(data=data)


def encode_all(values: Iterable[object]) -> list[common_pb2.Payload]:
    """Encode several values, for example the arguments of a call."""
    return [encode(value) for value in values]


def decode(payload: common_pb2.Payload, annotation: Any = Any) -> Any:
    """Read a payload as the annotated type. Raises PayloadError, which names
    the path of the bad field, what was expected and what was found."""
    return decoder_for(annotation)(payload)


@lru_cache(maxsize=4096, typed=True)
def _cached_decoder(annotation: Any) -> Callable[[common_pb2.Payload], Any]:
    return build_decoder(annotation)


def decoder_for(annotation: Any) -> Callable[[common_pb2.Payload], Any]:
    """The function that reads payloads as `annotation`; built once per type.
    Raises PayloadError for a type that cannot be read from JSON."""
    try:
        return _cached_decoder(annotation)
    except TypeError:  # an unhashable annotation, such as Annotated[int, []]
        return build_decoder(annotation)

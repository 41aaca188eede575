"""One decoder per annotation: `Payload -> value`.

A decoder is made of two readers, one for JSON and one for raw bytes, chosen
when it is built; at run time only the payload's encoding decides between them.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import msgspec

from sched_sdk._payloads._explain import describe_decode_error, type_name
from sched_sdk._payloads._hooks import (
    decode_hook,
    describe_pydantic_error,
    is_pydantic_model,
    validate_model,
)
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from sched_sdk.api.v1 import common_pb2

__all__ = ["build_decoder"]

_BINARY_TYPES = (bytes, bytearray, memoryview)
_ANYTHING = (Any, object)


def build_decoder(annotation: Any) -> Callable[[common_pb2.Payload], Any]:
    """Raises PayloadError for a type that cannot be told from JSON."""
    read_json = _json_reader(annotation)
    from_bytes = _binary_type(annotation)

    def decode(payload: common_pb2.Payload) -> Any:
        encoding = payload.encoding
        if encoding in ("", "json"):
            # An absent payload is null.
            data = payload.data or b"null"
            try:
                return read_json(data)
            except (ValueError, msgspec.MsgspecError, RecursionError) as error:
                raise PayloadError(describe_decode_error(data, annotation, error)) from error
        if encoding != "binary":
            raise PayloadError(
                f"$: the payload's encoding is {encoding!r}; this version of sched reads "
                "JSON and binary. Upgrade the reader, or write the value with this version."
            )
        if from_bytes is None:
            raise PayloadError(
                f"$: expected {type_name(annotation)}, found {len(payload.data)} raw bytes. "
                "Annotate the value as `bytes`, or send something that JSON can hold."
            )
        return from_bytes(payload.data)

    return decode


def _json_reader(annotation: Any) -> Callable[[bytes], Any]:
    if is_pydantic_model(annotation):
        return lambda data: validate_model(annotation, data)
    try:
        return msgspec.json.Decoder(_without_bytes(annotation), dec_hook=decode_hook).decode
    except TypeError as error:
        # pydantic can tell apart what msgspec cannot: unions of models.
        if _mentions_model(annotation):
            return _pydantic_reader(annotation)
        raise PayloadError(
            f"the type `{type_name(annotation)}` cannot be read from JSON: {error}. "
            "Use one type, or msgspec.Struct classes with `tag=True`, which carry their name."
        ) from error


def _pydantic_reader(annotation: Any) -> Callable[[bytes], Any]:
    import pydantic  # here the caller has it: the annotation holds one of its models

    adapter = pydantic.TypeAdapter(annotation)

    def read(data: bytes) -> Any:
        try:
            return adapter.validate_json(data, by_alias=True, by_name=True)
        except pydantic.ValidationError as error:
            raise ValueError(describe_pydantic_error(error)) from error

    return read


def _union_members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _union_members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _binary_type(annotation: Any) -> Callable[[bytes], Any] | None:
    members = _union_members(annotation)
    for member in members:
        if member in _BINARY_TYPES:
            return member  # type: ignore[no-any-return]  # the check above says what it is
    return bytes if any(member in _ANYTHING for member in members) else None


def _without_bytes(annotation: Any) -> Any:
    """`bytes | str` as JSON can only be the text: raw bytes travel as binary."""
    members = _union_members(annotation)
    others = tuple(member for member in members if member not in _BINARY_TYPES)
    if len(others) == len(members) or str not in others:
        return annotation
    return Union[others]  # noqa: UP007 - the members are only known at run time


def _mentions_model(annotation: Any) -> bool:
    return is_pydantic_model(annotation) or any(map(_mentions_model, get_args(annotation)))

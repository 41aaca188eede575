"""One decoder per annotation: `Payload -> value`.

A decoder is made of two readers, one for JSON and one for raw bytes, chosen
when it is built; at run time only the payload's encoding decides between them.
"""

from __future__ import annotations

import types
import typing
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import msgspec

from sched_sdk._payloads._explain import describe_decode_error, type_name
from sched_sdk._payloads._hooks import decode_hook, is_pydantic_model, pydantic_reader
from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
            except Exception as error:  # a type's own __post_init__ may raise anything
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
        return pydantic_reader(annotation)
    if annotation is object:
        annotation = Any  # whatever JSON can hold
    elif annotation in (typing.NoReturn, typing.Never):
        annotation = None
    classes = list(_classes_in(annotation, set()))
    for kind in classes:
        _refuse_private_fields(kind)
    try:
        return msgspec.json.Decoder(_without_bytes(annotation), dec_hook=decode_hook).decode
    except (TypeError, NameError) as error:
        # pydantic can tell apart what msgspec cannot: unions of models.
        if isinstance(error, TypeError) and any(map(is_pydantic_model, classes)):
            return pydantic_reader(annotation)
        raise PayloadError(
            f"the type `{type_name(annotation)}` cannot be read from JSON: {error}. "
            "Use one type, or msgspec.Struct classes with `tag=True`, which carry their name."
        ) from error


def _union_members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _union_members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _binary_type(annotation: Any) -> Callable[[bytes], Any] | None:
    members = _union_members(annotation)
    for kind in _BINARY_TYPES:
        if kind in members:
            return kind
    return bytes if any(member in _ANYTHING for member in members) else None


def _without_bytes(annotation: Any) -> Any:
    """`bytes | str` as JSON can only be the text: raw bytes travel as binary."""
    members = _union_members(annotation)
    others = tuple(member for member in members if member not in _BINARY_TYPES)
    if len(others) == len(members) or str not in others:
        return annotation
    return Union[others]  # noqa: UP007 - the members are only known at run time


def _classes_in(annotation: Any, seen: set[Any]) -> Iterator[type]:
    """Every class that an annotation is made of, the fields' included."""
    for member in get_args(annotation):
        yield from _classes_in(member, seen)
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type) or kind in seen:
        return
    seen.add(kind)
    yield kind
    if kind.__module__ == "builtins" or is_pydantic_model(kind):
        return
    try:
        hints = typing.get_type_hints(kind)
    except (NameError, TypeError):
        return  # msgspec says what cannot be resolved
    for hint in hints.values():
        yield from _classes_in(hint, seen)


def _refuse_private_fields(kind: type) -> None:
    """msgspec leaves private fields of attrs classes out when it writes."""
    for attribute in getattr(kind, "__attrs_attrs__", ()):
        if attribute.name.startswith("_"):
            raise PayloadError(
                f"the attrs class `{kind.__name__}` has the private field `{attribute.name}`, "
                "which would not be stored. Rename it without the underscore, or use a dataclass."
            )

"""What msgspec does not do by itself: pydantic models, paths, deques, and
subclasses of plain types such as `class Email(str)`.

pydantic is imported by whoever defines a model, never here: a class is known
as a model by the methods that pydantic gives it.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import pathlib
import types
from typing import TYPE_CHECKING, Any, get_args, get_origin

import msgspec

from sched_sdk.errors import PayloadError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["decode_hook", "encode_hook", "is_pydantic_model", "pydantic_reader"]

_OLDEST_PYDANTIC = (2, 11)

# Subclasses of these are written as the plain type.
_PLAIN_BASES: tuple[type[Any], ...] = (str, bytes, bytearray, int, float, decimal.Decimal)


def is_pydantic_model(annotation: object) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "model_validate_json")


def encode_hook(value: Any) -> Any:
    """Turn a value that msgspec does not know into one that it knows."""
    if is_pydantic_model(type(value)):
        return msgspec.Raw(_encode_model(value))
    for base in _PLAIN_BASES:
        if isinstance(value, base):
            # str() would call a __str__ of the subclass.
            return str.__str__(value) if base is str else base(value)
    if isinstance(value, datetime.datetime):
        return datetime.datetime.fromisoformat(datetime.datetime.isoformat(value))
    if isinstance(value, datetime.date):
        return datetime.date.fromisoformat(datetime.date.isoformat(value))
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, collections.deque):
        return list(value)
    raise NotImplementedError


def _encode_model(model: Any) -> bytes:
    # Field names and no computed fields, so that the model reads its own
    # output even where it has aliases or forbids extra fields.
    data: bytes = model.model_dump_json(by_alias=False, round_trip=True).encode()
    if b"NaN" in data or b"Infinity" in data:
        # `ser_json_inf_nan="constants"` writes what is no JSON.
        msgspec.json.decode(data)
    return data


def decode_hook(annotation: Any, value: Any) -> Any:
    """Build a custom type from what JSON held. msgspec adds the path to a
    TypeError or ValueError raised here."""
    if is_pydantic_model(annotation):
        return pydantic_reader(annotation)(msgspec.json.encode(value))
    build: Any = get_origin(annotation) or annotation
    if isinstance(build, type):
        bases = build.__mro__
        if collections.deque in bases or collections.OrderedDict in bases:
            return _build_collection(build, get_args(annotation), value)
        if pathlib.PurePath in bases:
            return build(msgspec.convert(value, str))
        for base in _PLAIN_BASES:
            if base in bases:
                return build(msgspec.convert(value, base))
    raise TypeError(
        f"a value of type `{getattr(build, '__name__', build)}` cannot be read from JSON; "
        "use a dataclass, TypedDict, enum, attrs class, msgspec.Struct or pydantic model"
    )


def _build_collection(kind: Any, arguments: tuple[Any, ...], value: Any) -> Any:
    plain: Any = list if issubclass(kind, collections.deque) else dict
    of_items = types.GenericAlias(plain, arguments) if arguments else plain
    return kind(msgspec.convert(value, of_items, dec_hook=decode_hook, str_keys=True))


def pydantic_reader(annotation: Any) -> Callable[[bytes], Any]:
    """The function that reads JSON as a pydantic model, or as a type made of
    models. Field names and aliases both count.

    From JSON, not from Python values: strict models take "2026-11-01" for a
    date only there. Raises PayloadError for a pydantic that is too old.
    """
    import pydantic  # the caller has it: the annotation holds one of its models

    if tuple(map(int, pydantic.VERSION.split(".")[:2])) < _OLDEST_PYDANTIC:
        raise PayloadError(
            f"pydantic {pydantic.VERSION} is too old to read models by name and by alias; "
            "install pydantic 2.11 or later"
        )
    if is_pydantic_model(annotation):
        validate = annotation.model_validate_json
    else:
        validate = pydantic.TypeAdapter(annotation).validate_json

    def read(data: bytes) -> Any:
        try:
            return validate(data, by_alias=True, by_name=True)
        except ValueError as error:
            raise ValueError(_describe_pydantic_error(error)) from error

    return read


def _describe_pydantic_error(error: Any) -> str:
    """`$.price: Input should be greater than 0 (found -1); …`, at most five."""
    if not hasattr(error, "errors"):
        return str(error)
    problems = error.errors(include_url=False, include_context=False)
    texts = []
    for problem in problems[:5]:
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])
        found = "" if problem["type"] == "missing" else f" (found {problem['input']!r:.80})"
        texts.append(f"${path}: {problem['msg']}{found}")
    if len(problems) > 5:
        texts.append(f"and {len(problems) - 5} more")
    return "; ".join(texts)

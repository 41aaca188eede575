"""What msgspec does not do by itself: pydantic models, paths, deques, and
subclasses of plain types such as `class Email(str)`.

pydantic is imported by whoever defines a model, never here: a class is known
as a model by the attributes that pydantic gives it.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import pathlib
from typing import Any, get_args, get_origin

import msgspec

__all__ = ["decode_hook", "encode_hook", "is_pydantic_model", "validate_model"]

# Subclasses of these are written as the plain type.
_PLAIN_BASES: tuple[type, ...] = (str, bytes, bytearray, int, float, decimal.Decimal)


def is_pydantic_model(annotation: object) -> bool:
    return isinstance(annotation, type) and hasattr(annotation, "model_validate_json")


def encode_hook(value: Any) -> Any:
    """Turn a value that msgspec does not know into one that it knows."""
    if hasattr(type(value), "model_dump_json"):
        # Field names and no computed fields, so that the model reads its own
        # output even where it has aliases or forbids extra fields.
        return msgspec.Raw(value.model_dump_json(by_alias=False, round_trip=True).encode())
    for base in _PLAIN_BASES:
        if isinstance(value, base):
            return base.__str__(value) if base is str else base(value)
    if isinstance(value, datetime.datetime):
        return datetime.datetime.fromisoformat(datetime.datetime.isoformat(value))
    if isinstance(value, datetime.date):
        return datetime.date.fromisoformat(datetime.date.isoformat(value))
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, collections.deque):
        return list(value)
    raise NotImplementedError


def decode_hook(annotation: Any, value: Any) -> Any:
    """Build a custom type from what JSON held. msgspec adds the path to a
    TypeError or ValueError raised here."""
    if is_pydantic_model(annotation):
        return validate_model(annotation, msgspec.json.encode(value))
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type):
        if issubclass(origin, collections.deque | collections.OrderedDict):
            return _build_collection(origin, get_args(annotation), value)
        if issubclass(origin, pathlib.PurePath):
            return origin(msgspec.convert(value, str))
        for base in _PLAIN_BASES:
            if issubclass(origin, base):
                return origin(msgspec.convert(value, base))
    raise TypeError(
        f"a value of type `{getattr(origin, '__name__', origin)}` cannot be read from JSON; "
        "use a dataclass, TypedDict, enum, attrs class, msgspec.Struct or pydantic model"
    )


def _build_collection(origin: type, arguments: tuple[Any, ...], value: Any) -> Any:
    if issubclass(origin, collections.deque):
        items = msgspec.convert(
            value, list[arguments[0]] if arguments else list[Any], dec_hook=decode_hook
        )
        return origin(items)
    pairs: Any = dict[arguments[0], arguments[1]] if arguments else dict[Any, Any]  # type: ignore[valid-type]  # built at run time
    return origin(msgspec.convert(value, pairs, dec_hook=decode_hook, str_keys=True))


def validate_model(model: Any, data: bytes) -> Any:
    """Read a pydantic model from JSON; field names and aliases both count.

    From JSON, not from Python values: strict models take "2026-11-01" for a
    date only there.
    """
    try:
        return model.model_validate_json(data, by_alias=True, by_name=True)
    except ValueError as error:
        raise ValueError(describe_pydantic_error(error)) from error


def describe_pydantic_error(error: Any) -> str:
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

"""Say what is wrong with a value, and where.

Runs only after encoding or decoding has failed, so it may take its time: it
walks the value once more to find the one field that is to blame.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from sched_sdk._payloads._hooks import encode_hook

__all__ = ["describe_decode_error", "describe_encode_error", "describe_non_finite", "type_name"]

_finite_json = json.JSONEncoder(allow_nan=False, check_circular=False).encode
_MAXIMUM_DEPTH = 200
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_NON_FINITE_ADVICE = "JSON has no such number. Send None, text or a Decimal instead."
_TYPE_ADVICE = (
    "Use JSON types, a dataclass, TypedDict, NamedTuple, enum, datetime, UUID, Decimal, "
    "attrs class, msgspec.Struct or pydantic model, or convert it first."
)


def type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def describe_non_finite(value: Any) -> str | None:
    """What to say of the first NaN or infinity in a value; None if it has none."""
    try:
        # Two passes in C; the walk in Python is only for values that have one.
        _finite_json(msgspec.to_builtins(value, enc_hook=_builtin_hook))
    except (ValueError, TypeError):
        for path, leaf in _leaves(value, "$", 0):
            if isinstance(leaf, float) and not math.isfinite(leaf):
                return f"{path}: {leaf!r} cannot be sent: {_NON_FINITE_ADVICE}"
    return None


def _builtin_hook(value: Any) -> Any:
    if hasattr(type(value), "model_dump"):
        return value.model_dump(mode="python")
    return encode_hook(value)


def describe_encode_error(value: Any, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return (
            "$: the value is nested too deeply, or contains itself; "
            "send a flat form, for example ids instead of references."
        )
    path, culprit, reason = _find_culprit(value, "$", 0) or ("$", value, str(error))
    return f"{path}: {_short(culprit)} of type `{type(culprit).__qualname__}` {reason}"


def _find_culprit(value: Any, path: str, depth: int) -> tuple[str, Any, str] | None:
    """The innermost part that cannot be encoded."""
    if _encodes(value) or depth > _MAXIMUM_DEPTH:
        return None
    if isinstance(value, collections.abc.Mapping):
        for key in value:
            if not _encodes({key: None}):
                return path, key, "cannot be a key: use str, int, UUID, date or an enum of those."
    for child_path, child in _children(value, path):
        found = _find_culprit(child, child_path, depth + 1)
        if found is not None:
            return found
    if isinstance(value, str):
        return path, value, "is no valid text: it holds a lone surrogate."
    return path, value, f"cannot be sent. {_TYPE_ADVICE}"


def _encodes(value: Any) -> bool:
    try:
        msgspec.json.encode(value, enc_hook=encode_hook)
    except Exception:
        return False
    return True


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    empty = True
    if depth < _MAXIMUM_DEPTH:
        for child_path, child in _children(value, path):
            empty = False
            yield from _leaves(child, child_path, depth + 1)
    if empty:
        yield path, value


def _children(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, enum.Enum):
        yield path, value.value
    elif isinstance(value, collections.abc.Mapping):
        for key, item in value.items():
            yield _key_path(path, key), item
    elif isinstance(value, list | tuple | set | frozenset | collections.deque):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item
    elif not isinstance(value, type):
        for name in _field_names(value):
            item = getattr(value, name, msgspec.UNSET)
            if item is not msgspec.UNSET:
                yield f"{path}.{name}", item


def _field_names(value: Any) -> list[str]:
    kind = type(value)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if hasattr(kind, "__attrs_attrs__"):
        return [attribute.name for attribute in kind.__attrs_attrs__]
    if hasattr(kind, "__struct_fields__"):
        return list(kind.__struct_fields__)
    if hasattr(kind, "model_fields"):
        return list(kind.model_fields)
    return []


def _key_path(path: str, key: Any) -> str:
    if isinstance(key, str) and _IDENTIFIER.match(key):
        return f"{path}.{key}"
    return f"{path}[{_short(key)}]"


_MSGSPEC_PATH = re.compile(r"^(?P<what>.*) - at (?:`(?P<key>key)` in )?`(?P<path>.*?)`$", re.DOTALL)
_EXPECTED = re.compile(r"^Expected `(?P<expected>.*)`, got `(?P<found>.*)`$")
_MISSING = re.compile(r"^Object missing required field `(?P<field>.*)`$")


def describe_decode_error(data: bytes, annotation: Any, error: Exception) -> str:
    """`$.items[3].price: expected int, found str 'a lot' (reading Order)`."""
    if isinstance(error, msgspec.DecodeError) and not isinstance(error, msgspec.ValidationError):
        return f"$: not valid JSON ({error}): {data[:80].decode(errors='replace')!r}"
    if isinstance(error, RecursionError):
        return "$: the JSON is nested too deeply to be read."
    what, path, in_key = str(error), "$", False
    if match := _MSGSPEC_PATH.match(what):
        what, path, in_key = match["what"], match["path"], match["key"] is not None
    if match := _EXPECTED.match(what):
        what = f"expected {match['expected']}, found {match['found']}"
        if not in_key:
            path, shown = _locate(data, path, match["found"])
            what += shown
    elif match := _MISSING.match(what):
        path, what = f"{path}.{match['field']}", "a required field is missing"
    elif what.startswith("$"):
        # A pydantic model names paths below its own.
        what = f"{path}{what[1:]}".replace("; $", f"; {path}")
        path, _, what = what.partition(": ")
    else:
        what = what[:1].lower() + what[1:] if what[1:2].islower() else what
        if not isinstance(error, ValueError | TypeError):
            what = f"{type(error).__name__}: {what}"
    where = f"a key of {path}" if in_key else path
    reading = "" if path == "$" else f" (reading {type_name(annotation)})"
    return f"{where}: {what}{reading}"


# msgspec's path: `.field`, `[3]`, and `[...]` for a value of a dict.
_STEP = re.compile(r"\.(?P<field>[^.\[\]]+)|\[(?P<index>\d+)\]|(?P<any>\[\.\.\.\])")
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (float,),
    "str": (str,),
    "array": (list,),
    "object": (dict,),
}


def _locate(data: bytes, path: str, found: str) -> tuple[str, str]:
    """The exact path and ` 'the value'` there, as far as they can be told."""
    kinds = _JSON_TYPES.get(found, ())
    places = [("$", msgspec.json.decode(data))]
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return path, ""
        places = [below for place in places for below in _below(place, step)]
        position = step.end()
    for exact, value in places:
        if type(value) in kinds:
            return exact, "" if value is None or isinstance(value, dict | list) else (
                f" {_short(value)}"
            )
    return path, ""


def _below(place: tuple[str, Any], step: re.Match[str]) -> list[tuple[str, Any]]:
    path, value = place
    if step["field"] is not None and isinstance(value, dict) and step["field"] in value:
        return [(f"{path}.{step['field']}", value[step["field"]])]
    if step["index"] is not None and isinstance(value, list) and int(step["index"]) < len(value):
        return [(f"{path}[{step['index']}]", value[int(step["index"])])]
    if step["any"] is not None and isinstance(value, dict):
        return [(_key_path(path, key), item) for key, item in value.items()]
    return []


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__qualname__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."

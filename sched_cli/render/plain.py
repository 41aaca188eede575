"""What the client returns as JSON.

The shape is that of the SDK's models, field by field, so that it is as stable
as they are: times are ISO 8601 in UTC with microseconds, durations are numbers
of seconds, raw bytes are `{"base64": "…"}`, a failure is an object with `type`,
`message`, `traceback`, `details` and `cause`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sched_cli.options import OutputFormat

SHAPE_VERSION = 1
"""Of all that commands print as JSON; docs/cli-output.md says when it changes."""

# Fields that only make sense inside a process.
_LEFT_OUT = frozenset({"raw"})


def jsonable(value: Any) -> Any:
    """`value` as JSON's own types."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, BaseException):
        return _failure(value)
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: jsonable(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.name not in _LEFT_OUT
        }
    if isinstance(value, Iterable):
        return [jsonable(item) for item in value]
    return str(value)


def _failure(error: BaseException) -> dict[str, Any]:
    return {
        "type": getattr(error, "type", "") or type(error).__name__,
        "message": getattr(error, "message", str(error)),
        "traceback": getattr(error, "remote_traceback", ""),
        "details": jsonable(getattr(error, "details", ())),
        "cause": None if error.__cause__ is None else _failure(error.__cause__),
    }


def dumps(value: Any, *, pretty: bool) -> str:
    """JSON text: over several lines, or on one."""
    return json.dumps(jsonable(value), ensure_ascii=False, indent=2 if pretty else None)


def compact(value: Any, limit: int = 0) -> str:
    """One line of JSON for tables, cut to `limit` characters if that is given."""
    text = json.dumps(jsonable(value), ensure_ascii=False)
    if limit and len(text) > limit:
        return text[: limit - 1] + "…"
    return text


def print_json(value: Any) -> None:
    """One value on stdout, for `--output json`."""
    sys.stdout.write(dumps(value, pretty=True) + "\n")


def print_json_line(value: Any) -> None:
    """One value on a line of stdout, for `--output jsonl`; visible at once."""
    sys.stdout.write(dumps(value, pretty=False) + "\n")
    sys.stdout.flush()


def print_value(value: Any, output: OutputFormat) -> None:
    """One value, in the format that is asked for and is no table."""
    if output == "json":
        print_json(value)
    else:
        print_json_line(value)

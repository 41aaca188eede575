"""What programs log while they serve: lines on stderr, as text or as JSON.

    SCHED_LOG_LEVEL    debug, info, warning or error
    SCHED_LOG_FORMAT   text or json

A record's `extra` becomes fields of its JSON object. Passwords in addresses
are struck out in both formats. An app that sets up logging itself, when it is
imported, keeps its own set-up.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sched_cli.errors import UsageError
from sched_cli.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_FORMATS = ("text", "json")

# What every record has; the rest came with `extra`.
_OWN_ATTRIBUTES = frozenset({*logging.makeLogRecord({}).__dict__, "message", "asctime", "taskName"})


def set_up(*, default_level: str) -> None:
    """Send the records of this process to stderr, unless the app did that already.

    Raises UsageError for a level or a format that there is not.
    """
    level = (os.environ.get("SCHED_LOG_LEVEL") or default_level).lower()
    form = (os.environ.get("SCHED_LOG_FORMAT") or "text").lower()
    if level not in _LEVELS:
        raise UsageError(f"SCHED_LOG_LEVEL is {level!r}; it is one of {', '.join(_LEVELS)}.")
    if form not in _FORMATS:
        raise UsageError(f"SCHED_LOG_FORMAT is {form!r}; it is one of {', '.join(_FORMATS)}.")
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else _TextFormatter())
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])


def as_json() -> bool:
    """Whether the records of this process are JSON."""
    return (os.environ.get("SCHED_LOG_FORMAT") or "text").lower() == "json"


@contextlib.contextmanager
def only_warnings(logger: str) -> Iterator[None]:
    """Leave out what this logger says of less weight, while the block runs."""
    named = logging.getLogger(logger)
    before = named.level
    named.setLevel(logging.WARNING)
    try:
        yield
    finally:
        named.setLevel(before)


class _TextFormatter(logging.Formatter):
    """ "10:41:02 warning  sched.worker  lost the engine"."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        text = f"{time} {record.levelname.lower():<8} {record.name}  {record.getMessage()}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return redact(text)


class _JsonFormatter(logging.Formatter):
    """One object a line: time, level, component, logger, message, exception, and
    what the record carries besides."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname.lower(),
            "component": _component(record.name),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for name, value in record.__dict__.items():
            if name not in _OWN_ATTRIBUTES and name not in fields:
                plain = isinstance(value, int | float | bool | None)
                fields[name] = value if plain else redact(str(value))
        if record.exc_info:
            fields["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(fields, ensure_ascii=False)


def _component(logger: str) -> str:
    """ "engine" for "sched.engine"; "app" for a logger that is not ours."""
    first, _, rest = logger.partition(".")
    return rest.partition(".")[0] if first == "sched" and rest else "app"

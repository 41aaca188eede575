r"""Replacing values that must not leave the house, so that replay stays possible.

What names a value:

    password            a key of that name, anywhere in a payload
    card.number         the end of a path; `*` and `?` stand for any letters
    input[0], result    a whole argument, a whole result
    failure.message     also reason, identity, summary, traceback
    ActivityCompleted:result.token    in events of that type only
    /\d{16}/            what a regular expression finds in any text

What stands there is replaced by something of the same JSON type: text by as
many `x` (dates, times, numbers and UUIDs in text keep their shape, their digits
become 1), numbers by 0, raw bytes by zeros. Keys, lengths of lists, true, false
and null stay: code may depend on them.

Names, call sites and ids are what replay compares, and are never replaced.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from sched_sdk._capture.events import UNKNOWN, event_from_json, event_to_json
from sched_sdk.errors import CaptureError

if TYPE_CHECKING:
    from sched_sdk._capture.document import CapturedHistory

__all__ = ["Redaction", "redact"]

_Path = tuple[str | int, ...]

_PAYLOAD_LISTS = ("input", "details")
_PAYLOADS = ("result",)
_TEXTS = ("message", "traceback", "reason", "identity", "summary", "details")
_NESTED = ("failure", "cause", "summary")

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Dates, times, durations and numbers as text.
_SHAPED = re.compile(r"(?=.*\d)[-+]?P?[\d.,:+\-TZ DHMS]+")
_TOKEN = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\*)\]")


@dataclass(frozen=True, slots=True)
class Redaction:
    """One thing to redact."""

    text: str
    """As it was given."""
    event_type: str = ""
    tokens: tuple[str, ...] = ()
    expression: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, text: str) -> Redaction:
        """Raises CaptureError for what is neither a path nor an expression."""
        if len(text) > 2 and text.startswith("/") and text.endswith("/"):
            try:
                return cls(text, expression=re.compile(text[1:-1]))
            except re.error as error:
                raise CaptureError(
                    f"the redaction {text} is no regular expression: {error}."
                ) from error
        event_type, colon, path = text.rpartition(":")
        tokens = tuple(name or index for name, index in _TOKEN.findall(path))
        if not tokens or _TOKEN.sub("", path) or (colon and not event_type.isidentifier()):
            raise CaptureError(
                f"the redaction {text!r} names nothing. Give a key (password), the end of a path "
                "(input[0].card.number) or an expression between slashes (/[0-9]{16}/)."
            )
        return cls(text, event_type, tokens)

    def names(self, event_type: str, path: _Path) -> bool:
        """Whether this path of an event is to be replaced as a whole."""
        if not self.tokens or (self.event_type and self.event_type != event_type):
            return False
        end = path[-len(self.tokens) :]
        return len(end) == len(self.tokens) and all(
            fnmatchcase(str(part), token) for part, token in zip(end, self.tokens, strict=True)
        )


def redact(
    captured: CapturedHistory, redactions: Sequence[Redaction]
) -> tuple[CapturedHistory, dict[str, int]]:
    """The history without those values, and how many each redaction replaced.

    Raises CaptureError for an event that this version cannot look into.
    """
    counts = dict.fromkeys((redaction.text for redaction in redactions), 0)
    if not redactions:
        return captured, counts
    events, redacted = [], dict(captured.redacted)
    for event in captured.events:
        data = event_to_json(event)
        if data["type"] == UNKNOWN:
            raise CaptureError(
                f"Event {event.event_id} is of type {event.type}, which this version of sched "
                "does not know, so nothing in it can be redacted. Upgrade sched."
            )
        data.pop("stored", None)
        paths = _Redactor(data["type"], redactions, counts).event(data["attributes"])
        if paths:
            redacted[event.event_id] = (*redacted.get(event.event_id, ()), *paths)
        events.append(event_from_json(data, exact=True) if paths else event)
    done = replace(
        captured,
        events=tuple(events),
        redactions=(*captured.redactions, *counts),
        redacted=redacted,
    )
    return done, counts


class _Redactor:
    """Works on one event, in place."""

    def __init__(
        self, event_type: str, redactions: Sequence[Redaction], counts: dict[str, int]
    ) -> None:
        self._event_type = event_type
        self._redactions = redactions
        self._counts = counts
        self._paths: list[str] = []

    def event(self, attributes: dict[str, Any]) -> list[str]:
        """Replace what is to be replaced; returns the paths."""
        for path, holder, key in _roots(attributes, ()):
            holder[key] = self._value(holder[key], path)
        return self._paths

    def _value(self, value: Any, path: _Path) -> Any:
        for redaction in self._redactions:
            whole = len(path) > 1 and path[-2] in _PAYLOAD_LISTS
            if redaction.names(self._event_type, path) or (
                # `input` means all arguments.
                whole and redaction.names(self._event_type, path[:-1])
            ):
                return self._replaced(redaction, path, _blank(value))
        if isinstance(value, dict) and value.keys() != {"base64"}:
            return {key: self._value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str):
            for redaction in self._redactions:
                if redaction.expression is not None:
                    found = redaction.expression.sub(lambda match: _blank_text(match[0]), value)
                    if found != value:
                        value = self._replaced(redaction, path, found)
        return value

    def _replaced(self, redaction: Redaction, path: _Path, value: Any) -> Any:
        self._counts[redaction.text] += 1
        shown = _shown(path)
        if shown not in self._paths:
            self._paths.append(shown)
        return value


def _roots(fields: dict[str, Any], path: _Path) -> Iterator[tuple[_Path, Any, str | int]]:
    """Every place in an event that holds a payload or a text of people."""
    for name, value in fields.items():
        here = (*path, name)
        if name in _PAYLOAD_LISTS and isinstance(value, list):
            yield from (((*here, index), value, index) for index in range(len(value)))
        elif name in _PAYLOADS or (name in _TEXTS and isinstance(value, str)):
            yield here, fields, name
        elif name in _NESTED and isinstance(value, dict):
            yield from _roots(value, here)


def _shown(path: _Path) -> str:
    words = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return "".join(words).removeprefix(".")


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"base64"} and isinstance(value["base64"], str):
            return {"base64": _blank_bytes(value["base64"])}
        return {key: _blank(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_blank(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return type(value)(0)
    return _blank_text(value)


def _blank_text(text: str) -> str:
    if _UUID.fullmatch(text):
        return re.sub(r"[0-9a-fA-F]", "1", text)
    if _SHAPED.fullmatch(text):
        return re.sub(r"\d", "1", text)
    return "x" * len(text)


def _blank_bytes(text: str) -> str:
    try:
        size = len(base64.b64decode(text, validate=True))
    except ValueError:
        return _blank_text(text)
    return base64.b64encode(bytes(size)).decode()

"""The document of a captured history, and what may be wrong with a file.

A header and one event a line, so that two captures can be compared by any tool
for texts. `format_version` rises only when an older reader would misread the
document; fields may be added without that, and readers skip what they do not
know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sched_sdk._capture.events import event_from_json, event_to_json
from sched_sdk._capture.fields import iso_time, time_from_iso
from sched_sdk.api.v1 import history_pb2
from sched_sdk.errors import CaptureError

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "CapturedHistory",
    "dump_capture",
    "parse_capture",
    "read_capture",
]

FORMAT = "sched.history"
FORMAT_VERSION = 1

Event = history_pb2.HistoryEvent

_MAKE_ONE = "Make one: sched capture ID -o FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedHistory:
    """The history of one run, whether it ends or goes on."""

    events: tuple[Event, ...]
    """From the first one, WorkflowStarted, on; never empty."""
    sched_version: str = ""
    """Of the sched that captured it; empty if that is not known."""
    captured_time_us: int = 0
    redactions: tuple[str, ...] = ()
    """What was asked to be redacted."""
    redacted: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """The paths whose values were replaced, by event id."""

    @property
    def workflow_id(self) -> str:
        return self._started.workflow_id

    @property
    def run_id(self) -> str:
        return self._started.run_id

    @property
    def workflow_type(self) -> str:
        return self._started.workflow_type

    @property
    def _started(self) -> history_pb2.WorkflowStarted:
        return self.events[0].workflow_started


def dump_capture(captured: CapturedHistory) -> str:
    """The document as text."""
    header = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "sched_version": captured.sched_version,
        "captured_time": iso_time(captured.captured_time_us),
        "workflow_id": captured.workflow_id,
        "run_id": captured.run_id,
        "workflow_type": captured.workflow_type,
        "redactions": list(captured.redactions),
    }
    lines = [f"  {json.dumps(name)}: {_json(value)},\n" for name, value in header.items()]
    events = []
    for event in captured.events:
        data = event_to_json(event)
        if event.event_id in captured.redacted:
            data["redacted"] = list(captured.redacted[event.event_id])
        events.append("    " + _json(data))
    return "{\n" + "".join(lines) + '  "events": [\n' + ",\n".join(events) + "\n  ]\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read_capture(path: Path) -> CapturedHistory:
    """Read a file. Raises CaptureError, which says in a sentence what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CaptureError(f"{path} does not exist.") from None
    except IsADirectoryError:
        raise CaptureError(f"{path} is a folder, not a captured history.") from None
    except UnicodeDecodeError:
        raise CaptureError(f"{path} is not a captured history: it is no text.") from None
    except OSError as error:
        raise CaptureError(f"{path} cannot be read: {error.strerror}.") from error
    return parse_capture(text, str(path))


def parse_capture(text: str, source: str) -> CapturedHistory:
    """Read a document, or the events as `sched workflow history -o json` prints
    them. `source` names it in errors. Raises CaptureError."""
    data = _parse_json(text, source)
    if isinstance(data, list):
        # Events alone: nothing says which payloads are raw bytes.
        return CapturedHistory(events=_events(data, source, exact=False))
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CaptureError(f"{source} is JSON, but not a captured history. {_MAKE_ONE}")
    _check_version(data, source)
    events = _events(data.get("events"), source, exact=True)
    return CapturedHistory(
        events=events,
        sched_version=str(data.get("sched_version", "")),
        captured_time_us=_captured_time(data),
        redactions=_texts(data, "redactions", source),
        redacted={
            event["event_id"]: _texts(event, "redacted", source)
            for event in data["events"]
            if event.get("redacted")
        },
    )


def _parse_json(text: str, source: str) -> Any:
    if not text.strip():
        raise CaptureError(f"{source} is empty. {_MAKE_ONE}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        begins_well = text.lstrip().startswith(("{", "["))
        at_the_end = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
        if begins_well and at_the_end:
            raise CaptureError(
                f"{source} is cut off: it ends in line {text.count(chr(10)) + 1}, in the middle "
                "of the document. Capture the workflow again."
            ) from None
        raise CaptureError(
            f"{source} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except RecursionError:
        raise CaptureError(f"{source} is nested too deeply for a captured history.") from None
    except ValueError as error:  # a number of thousands of digits
        raise CaptureError(f"{source} cannot be read: {error}.") from None


def _check_version(data: dict[str, Any], source: str) -> None:
    version = data.get("format_version")
    if not isinstance(version, int) or version < 1:
        raise CaptureError(f"{source} has no format_version, so it cannot be read. {_MAKE_ONE}")
    if version > FORMAT_VERSION:
        writer = data.get("sched_version") or "a newer version"
        raise CaptureError(
            f"{source} has format version {version}, written by sched {writer}; this sched reads "
            f"up to version {FORMAT_VERSION}. Upgrade sched."
        )


def _captured_time(data: dict[str, Any]) -> int:
    try:
        return time_from_iso(data["captured_time"])
    except (KeyError, TypeError, ValueError):
        return 0  # nothing depends on it


def _texts(data: dict[str, Any], name: str, source: str) -> tuple[str, ...]:
    texts = data.get(name, [])
    if not isinstance(texts, list):
        raise CaptureError(f"{source}: {name} is {texts!r}, not a list.")
    return tuple(map(str, texts))


def _events(data: Any, source: str, *, exact: bool) -> tuple[Event, ...]:
    if not isinstance(data, list) or not data:
        raise CaptureError(f"{source} has no events, so it is no captured history. {_MAKE_ONE}")
    events: list[Event] = []
    for number, item in enumerate(data, start=1):
        try:
            event = event_from_json(item, exact=exact)
        except KeyError as error:
            raise CaptureError(f"{source}: event {number} has no {error}.") from None
        except (TypeError, AttributeError):
            raise CaptureError(f"{source}: event {number} is no event.") from None
        except ValueError as error:
            raise CaptureError(f"{source}: event {number}: {error}.") from error
        if event.event_id != number:
            raise CaptureError(
                f"{source}: event {number} is missing, event {event.event_id} stands in its "
                "place. A history is replayed from its first event, without gaps."
            )
        events.append(event)
    if not events[0].HasField("workflow_started"):
        raise CaptureError(f"{source}: the first event is not WorkflowStarted.")
    return tuple(events)

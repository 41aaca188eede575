"""The filter line: words such as `type:Order queue:mail build:4f2a order-`.

The same filters as the options of `sched workflow list`; a bare word is the
beginning of an id.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Any

from sched_cli.tui.browser.model.statuses import STATUSES

__all__ = ["Filter", "FilterError", "parse_filter"]

_FIELDS = {
    "status": "statuses",
    "type": "workflow_type",
    "queue": "task_queue",
    "task-queue": "task_queue",
    "id": "id_prefix",
    "build": "build_id",
}
_SHOWN = ("type", "queue", "id", "build")
NAMES = ("status", *_SHOWN)


class FilterError(ValueError):
    """The line is no filter; the message says why."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs are listed; what is empty does not restrict."""

    statuses: frozenset[str] = frozenset()
    workflow_type: str = ""
    task_queue: str = ""
    id_prefix: str = ""
    build_id: str = ""

    @property
    def text(self) -> str:
        """The line that means this, without the statuses, which have tabs."""
        words = [
            f"{name}:{_quoted(value)}" for name in _SHOWN if (value := getattr(self, _FIELDS[name]))
        ]
        return " ".join(words)

    def with_statuses(self, statuses: frozenset[str]) -> Filter:
        """The same for other statuses."""
        return replace(self, statuses=statuses)

    def arguments(self, *, statuses: bool = True) -> dict[str, Any]:
        """What `list_workflows` and `count_workflows` of the client take."""
        return {
            "status": sorted(self.statuses) or None if statuses else None,
            "workflow_type": self.workflow_type or None,
            "task_queue": self.task_queue or None,
            "id_prefix": self.id_prefix or None,
            "build_id": self.build_id or None,
        }


def parse_filter(line: str, statuses: frozenset[str] = frozenset()) -> Filter:
    """What a line means. `statuses` are those of the tabs; `status:` in the line wins.

    Raises FilterError for a word that is none, or that comes twice.
    """
    found: dict[str, Any] = {}
    for word in _words(line):
        name, colon, value = word.partition(":")
        if not colon or name.lower() not in _FIELDS:
            if colon and value and (near := difflib.get_close_matches(name.lower(), _FIELDS, 1)):
                raise FilterError(f"there is no {name}:, did you mean {near[0]}:?")
            name, value = "id", word
        if not value:
            raise FilterError(f"{name}: needs a value, such as {name}:{_example(name.lower())}")
        field = _FIELDS[name.lower()]
        if field in found:
            raise FilterError(f"{name}: stands there twice")
        found[field] = _statuses(value) if field == "statuses" else value
    return Filter(**{"statuses": statuses, **found})


def _statuses(value: str) -> frozenset[str]:
    return frozenset(_status(one) for one in value.split(",") if one)


def _status(given: str) -> str:
    status = given.upper().replace("-", "_")
    beginning = [each for each in STATUSES if each.startswith(status)]
    if status in STATUSES or len(beginning) == 1:
        return status if status in STATUSES else beginning[0]
    raise FilterError(f"status {given} is none of {', '.join(each.lower() for each in STATUSES)}")


def _example(name: str) -> str:
    return {"status": "failed", "type": "Order", "build": "4f2a"}.get(name, "order-")


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


def _words(line: str) -> list[str]:
    """Split at blanks outside of double quotes, which are taken off."""
    words: list[str] = []
    word, quoted, begun = "", False, False
    for character in line:
        if character == '"':
            quoted, begun = not quoted, True
        elif character.isspace() and not quoted:
            if begun:
                words.append(word)
            word, begun = "", False
        else:
            word, begun = word + character, True
    if quoted:
        raise FilterError("a quotation mark is open")
    return [*words, word] if begun else words

"""Values on the command line: inputs, durations."""

from __future__ import annotations

import json
import math
import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from sched_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_VARIABLE = "SCHED_INPUT"
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")


def parse_inputs(texts: list[str] | None, option: str = "--input") -> list[Any]:
    """Each text as JSON if it is JSON, else as the string that it is. Without
    any, SCHED_INPUT is the only one, if it is set.

    Raises UsageError for what begins like a JSON object, list or string but is
    none: that is a typing mistake, not a string.
    """
    if not texts:
        # Not left to typer, which splits the variables of repeatable options at blanks.
        texts = [os.environ[_VARIABLE]] if _VARIABLE in os.environ else []
    return [
        _parse_input(text, option if len(texts) == 1 else f"{option} number {position}")
        for position, text in enumerate(texts, start=1)
    ]


def _parse_input(text: str, name: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        if not text.lstrip().startswith(("{", "[", '"')):
            return text
        line = error.doc.splitlines()[error.lineno - 1] if error.doc.strip() else ""
        start = max(0, error.colno - 41)
        shown = line[start : error.colno + 30]
        pointer = " " * (error.colno - 1 - start) + "^"
        raise UsageError(
            f"{name} is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).\n"
            f"  {shown}\n"
            f"  {pointer}\n"
            f'Quote it for the shell, for example --input \'{{"to": "ops"}}\'.'
        ) from None
    except _NotJsonError:
        return text


class _NotJsonError(ValueError):
    """NaN and Infinity, which Python reads and JSON does not know."""


def _refuse_constant(name: str) -> NoReturn:
    raise _NotJsonError(name)


class Seconds(float):
    """The default of an option that takes a duration, shown as people write it."""

    def __str__(self) -> str:
        return f"{float(self):g}s"


def seconds(text: object) -> float:
    """A duration as seconds, for options that are numbers inside; the parser of their
    values. Raises BadParameter, which names the option."""
    return _seconds(text, 0, math.inf)


def seconds_between(least: float, most: float) -> Callable[[object], float]:
    """The same for an option with limits."""

    def parse(text: object) -> float:
        return _seconds(text, least, most)

    return parse


def _seconds(text: object, least: float, most: float) -> float:
    import typer

    if isinstance(text, float):
        return text  # the default
    try:
        length = parse_duration(str(text), "the value")
    except UsageError as error:
        raise typer.BadParameter(str(error).removeprefix("the value ")) from None
    given = length.total_seconds() if length else 0.0
    if given < least:
        raise typer.BadParameter(f"{text!r} is too short; the least is {Seconds(least)}.")
    if given > most:
        raise typer.BadParameter(f"{text!r} is too long; the most is {Seconds(most)}.")
    return given


def parse_duration(text: str | None, option: str) -> timedelta | None:
    """A duration such as 90, 90s, 1.5h, 1h30m or 7d; a bare number is seconds.

    Raises UsageError for anything else.
    """
    if text is None:
        return None
    compact = text.strip().replace(" ", "").lower()
    if re.fullmatch(r"\d+(?:\.\d+)?", compact):
        compact += "s"
    parts = _DURATION_PART.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise UsageError(
            f"{option} {text!r} is no duration. Write a number and a unit "
            f"(ms, s, m, h, d, w), for example 30s, 5m or 1h30m."
        )
    try:
        return timedelta(seconds=sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts))
    except OverflowError:
        raise UsageError(f"{option} {text!r} is too long. Choose a shorter duration.") from None

"""Options that are understood anywhere on a line, behind every command.

The parser of a command knows only its own, so these are taken out before. What
stands behind `--` is left alone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from sched_cli.errors import UsageError

__all__ = ["EVERYWHERE", "GlobalOptions", "is_set", "take"]

EVERYWHERE = {
    "--profile": ("SCHED_PROFILE", "Talk to the engine of this profile (sched config)."),
    "--quiet": ("SCHED_QUIET", "Say nothing but data, warnings and errors."),
    "--no-color": ("NO_COLOR", "No colours; there are none either where stdout is no terminal."),
    "--debug": ("SCHED_DEBUG", "Show the traceback of an error."),
}
"""Each option, with its variable and its meaning."""

_TRUE_WORDS = ("1", "true", "yes", "on")
_PROFILE = "--profile"


@dataclass(slots=True)
class GlobalOptions:
    """What was found, or said by variables."""

    debug: bool = False
    quiet: bool = False
    no_color: bool = False
    profile: str | None = None


def take(arguments: list[str]) -> tuple[list[str], GlobalOptions]:
    """What is left for the command, and the options. Raises UsageError for a
    --profile without a name."""
    found = GlobalOptions(debug=is_set("SCHED_DEBUG"), quiet=is_set("SCHED_QUIET"))
    end = arguments.index("--") if "--" in arguments else len(arguments)
    left: list[str] = []
    words = iter(arguments[:end])
    for word in words:
        if word == "--debug":
            found.debug = True
        elif word == "--quiet":
            found.quiet = True
        elif word == "--no-color":
            found.no_color = True
        elif word == _PROFILE:
            found.profile = _name(next(words, ""))
        elif word.startswith(f"{_PROFILE}="):
            found.profile = _name(word.removeprefix(f"{_PROFILE}="))
        else:
            left.append(word)
    return left + arguments[end:], found


def is_set(variable: str) -> bool:
    """Whether a variable says yes."""
    return os.environ.get(variable, "").lower() in _TRUE_WORDS


def _name(given: str) -> str:
    if not given or given.startswith("-"):
        raise UsageError("--profile needs the name of a profile. See: sched config list")
    return given

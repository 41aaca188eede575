"""Named profiles: which engine people mean, and how they get in, kept in a file.

    profile = "prod"                      # the one in use

    [profiles.prod]
    engine = "engine-a.example:50051,engine-b.example:50051"
    tls_ca = "ca.pem"                     # beside this file
    token_file = "~/.prod-token"

What counts, the first that says something:

    --engine                              the option of a command
    --profile                             anywhere on the line
    SCHED_ENGINE_ADDRESS, ENGINE_ADDRESS  the variables of --engine
    SCHED_PROFILE                         names a profile
    profile = "…"                         the one in use, of the file
    localhost:50051

A profile that counts becomes variables, so that whatever this command starts means
the same engine. Of TLS and tokens it says what no variable does; one that was typed,
--profile, counts more than variables. Nothing of a profile goes to an engine of which
it does not speak: not when --engine or a variable names the engine, unless it was typed.
The file is read when it is there, and only then costs time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sched_cli.errors import UsageError
from sched_cli.profile_file import read
from sched_cli.suggesting import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sched_cli.profile_file import Profile

__all__ = [
    "ENGINE_VARIABLES",
    "Choice",
    "apply",
    "become",
    "choose",
    "environment_with",
    "path",
    "set_aside",
]

ENGINE_VARIABLES = ("SCHED_ENGINE_ADDRESS", "ENGINE_ADDRESS")
PROFILE_VARIABLE = "SCHED_PROFILE"
FILE_VARIABLE = "SCHED_CONFIG"
_TOKENS = ("SCHED_TOKEN", "SCHED_TOKEN_FILE")
_TYPED = "--profile"

typed: str | None = None
"""The value of --profile, if it stands on the line."""
_before: dict[str, str | None] = {}
"""The variables that a profile became, as they were."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine is meant, and who says so."""

    engine: str
    """Empty: nobody says; the command's default."""
    profile: str
    """Empty: no profile."""
    source: str
    """ "--profile", a variable's name, "the profile in use", or "the default"."""
    settings: Profile | None = None
    """What the profile says; None: no profile."""


def path() -> Path:
    """Where the file is: SCHED_CONFIG, or sched/config.toml below XDG_CONFIG_HOME."""
    if given := os.environ.get(FILE_VARIABLE):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "sched" / "config.toml"


def choose(asked: str | None) -> Choice:
    """Which engine is meant where no --engine says it. `asked` is the value of
    --profile. Raises UsageError for a profile that does not exist, and a broken file."""
    if asked is not None:
        return _of(_named(asked, _TYPED), asked, _TYPED)
    for variable in ENGINE_VARIABLES:
        if engine := os.environ.get(variable):
            return Choice(engine, "", variable)
    if name := os.environ.get(PROFILE_VARIABLE):
        return _of(_named(name, PROFILE_VARIABLE), name, PROFILE_VARIABLE)
    found = read(path())
    if found.in_use:
        return _of(found.profiles[found.in_use], found.in_use, "the profile in use")
    return Choice("", "", "the default")


def _of(profile: Profile, name: str, source: str) -> Choice:
    return Choice(profile.engine, name, source, profile)


def _named(name: str, source: str) -> Profile:
    known = read(path()).profiles
    if name not in known:
        there = f"There are: {', '.join(known)}." if known else "There are none yet."
        make = f"Make one: sched config set {name} --address HOST:PORT"
        raise UsageError(
            f"{source}: there is no profile {name!r}. {there}"
            f"{did_you_mean(name, known) or ' ' + make}"
        )
    return known[name]


def environment_with(choice: Choice, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables, with what the profile says."""
    told = dict(environment)
    if choice.settings is None:
        return told
    told[ENGINE_VARIABLES[0]] = choice.engine
    given = choice.settings.variables()
    typed = choice.source == _TYPED
    has_token = any(name in given for name in _TOKENS)
    keeps_token = not has_token or (not typed and any(map(environment.get, _TOKENS)))
    for name in _TOKENS:
        if not keeps_token:
            told.pop(name, None)
        else:
            given.pop(name, None)
    told |= {name: value for name, value in given.items() if typed or not environment.get(name)}
    return told


def apply(asked: str | None) -> None:
    """Let the profile that counts, if one does, be the engine of this process."""
    choice = choose(asked)
    become(choice)
    if choice.settings is not None and choice.settings.token:
        from sched_cli.profile_file import warn_if_open

        warn_if_open(path())


def become(choice: Choice) -> None:
    """Set the variables of a profile."""
    told = environment_with(choice, os.environ)
    _before.clear()
    for name in {*os.environ, *told}:
        if os.environ.get(name) != told.get(name):
            _before[name] = os.environ.get(name)
            _set(name, told.get(name))
    if choice.source == _TYPED:
        _before.clear()  # it counts, whatever else is typed


def set_aside(engine: str) -> None:
    """An --engine was typed: forget the profile, if it speaks of another one."""
    if _before and engine != os.environ.get(ENGINE_VARIABLES[0]):
        for name, value in _before.items():
            _set(name, value)
        _before.clear()


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value

"""Named profiles: which engine people mean, kept in a file.

    profile = "prod"                      # the one in use

    [profiles.prod]
    engine = "engine-a.example:50051,engine-b.example:50051"

What counts, the first that says something:

    --engine                              the option of a command
    --profile                             anywhere on the line
    SCHED_ENGINE_ADDRESS, ENGINE_ADDRESS  the variables of --engine
    SCHED_PROFILE                         names a profile
    profile = "…"                         the one in use, of the file
    localhost:50051

A profile that counts becomes the variable, so that whatever this command starts
means the same engine. The file is read when it is there, and only then costs time.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_cli.errors import UsageError
from sched_cli.suggesting import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENGINE_VARIABLES", "Choice", "Profiles", "apply", "choose", "path", "read", "write"]

ENGINE_VARIABLES = ("SCHED_ENGINE_ADDRESS", "ENGINE_ADDRESS")
PROFILE_VARIABLE = "SCHED_PROFILE"
FILE_VARIABLE = "SCHED_CONFIG"
_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(slots=True)
class Profiles:
    """What the file says."""

    in_use: str = ""
    """Empty: none."""
    engines: dict[str, str] = field(default_factory=dict)
    """The engine's addresses, by the profile's name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which engine is meant, and who says so."""

    engine: str
    """Empty: nobody says; the command's default."""
    profile: str
    """Empty: no profile."""
    source: str
    """ "--profile", a variable's name, "the profile in use", or "the default"."""


def path() -> Path:
    """Where the file is: SCHED_CONFIG, or sched/config.toml below XDG_CONFIG_HOME."""
    if given := os.environ.get(FILE_VARIABLE):
        return Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "sched" / "config.toml"


def read(file: Path) -> Profiles:
    """No file is an empty one. Raises UsageError, which names the line, for one that
    cannot be used."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Profiles()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    import tomllib

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, _, place = str(error).rpartition(" (at ")
        raise UsageError(
            f"{file}, {place.rstrip(')') or 'end'}: {what or error}. Correct it, or make it anew "
            "with sched config set."
        ) from error
    return _checked(file, text, table)


def _checked(file: Path, text: str, table: Mapping[str, Any]) -> Profiles:
    found = Profiles()
    for key, value in table.items():
        if key == "profile" and isinstance(value, str):
            found.in_use = value
        elif key == "profiles" and isinstance(value, dict):
            for name, settings in value.items():
                found.engines[name] = _engine_of(file, text, name, settings)
        else:
            raise _wrong(file, text, key, 'it takes profile = "NAME" and [profiles.NAME]')
    if found.in_use and found.in_use not in found.engines:
        raise _wrong(file, text, "profile", f"there is no [profiles.{found.in_use}]")
    return found


def _engine_of(file: Path, text: str, name: str, settings: Any) -> str:
    if not isinstance(settings, dict):
        raise _wrong(file, text, name, "a profile is a table, [profiles.NAME]")
    for key in settings:
        if key != "engine":
            raise _wrong(file, text, key, "a profile takes engine, and nothing else")
    engine = settings.get("engine")
    if not isinstance(engine, str) or not engine:
        raise _wrong(file, text, name, 'a profile needs engine = "HOST:PORT"')
    return engine


def _wrong(file: Path, text: str, key: str, what: str) -> UsageError:
    named = re.compile(rf"\b{re.escape(key)}\b")
    lines = enumerate(text.splitlines(), start=1)
    number = next((number for number, line in lines if named.search(line)), 1)
    return UsageError(f"{file}, line {number}: {key} cannot be used: {what}.")


def check_name(name: str) -> str:
    """Raises UsageError for what cannot name a profile."""
    if _NAME.fullmatch(name) is None:
        raise UsageError(f"{name!r} cannot name a profile; use letters, digits, - and _.")
    return name


def write(file: Path, profiles: Profiles) -> None:
    """All of it, or nothing. Raises UsageError."""
    lines = ["# Profiles of sched; `sched config` changes them, and so may you.", ""]
    if profiles.in_use:
        lines += [f"profile = {json.dumps(profiles.in_use)}", ""]
    for name, engine in profiles.engines.items():
        lines += [f"[profiles.{name}]", f"engine = {json.dumps(engine)}", ""]
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text("\n".join(lines), encoding="utf-8")
        temporary.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error


def choose(asked: str | None) -> Choice:
    """Which engine is meant where no --engine says it. `asked` is the value of
    --profile. Raises UsageError for a profile that does not exist, and a broken file."""
    if asked is not None:
        return Choice(_named(asked, "--profile"), asked, "--profile")
    for variable in ENGINE_VARIABLES:
        if engine := os.environ.get(variable):
            return Choice(engine, "", variable)
    if name := os.environ.get(PROFILE_VARIABLE):
        return Choice(_named(name, PROFILE_VARIABLE), name, PROFILE_VARIABLE)
    profiles = read(path())
    if profiles.in_use:
        return Choice(profiles.engines[profiles.in_use], profiles.in_use, "the profile in use")
    return Choice("", "", "the default")


def _named(name: str, source: str) -> str:
    engines = read(path()).engines
    if name not in engines:
        there = f"There are: {', '.join(engines)}." if engines else "There are none yet."
        make = f"Make one: sched config set {name} --address HOST:PORT"
        raise UsageError(
            f"{source}: there is no profile {name!r}. {there}"
            f"{did_you_mean(name, engines) or ' ' + make}"
        )
    return engines[name]


def apply(asked: str | None) -> None:
    """Let the profile that counts, if one does, be the engine of this process."""
    choice = choose(asked)
    if choice.profile:
        os.environ[ENGINE_VARIABLES[0]] = choice.engine

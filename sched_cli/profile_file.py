"""The file of profiles: what may stand in it, reading and writing it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sched_cli.errors import UsageError
from sched_cli.suggesting import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FILES", "Profile", "Profiles", "check_name", "read", "warn_if_open", "write"]

_NAME = re.compile(r"[A-Za-z0-9_-]+")
FILES = ("tls_ca", "tls_cert", "tls_key", "token_file")
"""The keys that name files, absolutely or from the folder that the file is in."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An engine, and how to get in. Its fields are the keys in the file."""

    engine: str
    """Addresses, separated by commas."""
    tls: bool | None = None
    """None: if one of the next four is there."""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_server_name: str = ""
    token_file: str = ""
    token: str = field(default="", repr=False)

    def variables(self) -> dict[str, str]:
        """As the variables of the options; without the engine's."""
        said = {f"SCHED_{key.upper()}": getattr(self, key) for key in _KEYS[2:]}
        switch = {} if self.tls is None else {"SCHED_TLS": "1" if self.tls else "0"}
        return switch | {name: value for name, value in said.items() if value}

    def problem(self) -> tuple[str, str] | None:
        """A key, and why it cannot be used; None when all is well."""
        if self.token and self.token_file:
            return "token", "there is a token_file too; keep one of them"
        if self.token and not all("!" <= character <= "~" for character in self.token):
            return "token", "it has spaces, control characters or letters beyond ASCII"
        if bool(self.tls_cert) != bool(self.tls_key):
            key, other = ("tls_cert", "tls_key") if self.tls_cert else ("tls_key", "tls_cert")
            return key, f"it goes with {other}"
        more = [key for key in _KEYS[2:6] if getattr(self, key)]
        if self.tls is False and more:
            return more[0], "tls is false"
        return None

    def lines(self) -> list[str]:
        """As they stand in the file."""
        said = {key: getattr(self, key) for key in _KEYS}
        return [
            f"{key} = {json.dumps(value)}" for key, value in said.items() if value not in ("", None)
        ]


_KEYS = tuple(each.name for each in fields(Profile))


@dataclass(slots=True)
class Profiles:
    """What the file says."""

    in_use: str = ""
    """Empty: none."""
    profiles: dict[str, Profile] = field(default_factory=dict)
    """By name."""


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
                found.profiles[name] = _profile(file, text, name, settings)
        else:
            raise _wrong(file, text, key, 'it takes profile = "NAME" and [profiles.NAME]')
    if found.in_use and found.in_use not in found.profiles:
        raise _wrong(file, text, "profile", f"there is no [profiles.{found.in_use}]")
    return found


def _profile(file: Path, text: str, name: str, settings: Any) -> Profile:
    if not isinstance(settings, dict):
        raise _wrong(file, text, name, "a profile is a table, [profiles.NAME]")

    def wrong(key: str, what: str) -> UsageError:
        return _wrong(file, text, key, what, profile=name)

    for key, value in settings.items():
        if key not in _KEYS:
            like = did_you_mean(key, _KEYS) or f" It takes {', '.join(_KEYS)}"
            raise wrong(key, f"a profile has no such key.{like.rstrip('.')}")
        if key == "tls" and not isinstance(value, bool):
            raise wrong(key, "it is true or false")
        if key != "tls" and (not isinstance(value, str) or not value):
            raise wrong(key, "it is text, in quotes")
    if "engine" not in settings:
        raise _wrong(file, text, name, 'a profile needs engine = "HOST:PORT"')
    profile = Profile(**settings)
    if problem := profile.problem():
        raise wrong(*problem)
    folder = file.absolute().parent
    files: dict[str, Any] = {
        key: str(folder / Path(getattr(profile, key)).expanduser())
        for key in FILES
        if getattr(profile, key)
    }
    return replace(profile, **files)


def _wrong(file: Path, text: str, key: str, what: str, *, profile: str = "") -> UsageError:
    """Names the line: the first with the key, of this profile's if it is of one."""
    named = re.compile(rf"\b{re.escape(key)}\b")
    header = re.compile(rf"\s*\[\s*profiles\s*\.\s*[\"']?{re.escape(profile)}[\"']?\s*\]")
    inside = not profile
    found = 1
    for number, line in enumerate(text.splitlines(), start=1):
        inside = inside or header.match(line) is not None
        if inside and named.search(line):
            found = number
            break
    of = f" of profile {profile}" if profile else ""
    return UsageError(f"{file}, line {found}: {key}{of} cannot be used: {what}.")


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
    for name, profile in profiles.profiles.items():
        lines += [f"[profiles.{name}]", *profile.lines(), ""]
    secret = any(profile.token for profile in profiles.profiles.values())
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o666
        )
        with open(descriptor, "w", encoding="utf-8") as stream:
            stream.write("\n".join(lines))
        temporary.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error


def warn_if_open(file: Path) -> None:
    """Of a file with a token that others than its owner can read."""
    with contextlib.suppress(OSError):
        if file.stat().st_mode & 0o077:
            from sched_cli.render.console import print_warning

            print_warning(f"others can read {file}, which has a token: chmod 600 {file}")

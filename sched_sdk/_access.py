"""Who a caller trusts, and how it says who it is: TLS and a token.

Light to import: shells that complete a word come by here, too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sched_sdk.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "PLAIN",
    "SWITCH_VARIABLE",
    "TLS",
    "TLS_VARIABLES",
    "TOKEN_FILE_VARIABLE",
    "TOKEN_VARIABLE",
    "Access",
    "access_of",
    "access_to",
    "read_tokens",
]

SWITCH_VARIABLE = "SCHED_TLS"
TLS_VARIABLES = {
    "ca_file": "SCHED_TLS_CA",
    "cert_file": "SCHED_TLS_CERT",
    "key_file": "SCHED_TLS_KEY",
    "server_name": "SCHED_TLS_SERVER_NAME",
}
"""The fields of TLS, each with its variable."""
TOKEN_VARIABLE = "SCHED_TOKEN"  # noqa: S105 - its name
TOKEN_FILE_VARIABLE = "SCHED_TOKEN_FILE"  # noqa: S105 - its name
_NO = ("0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class TLS:
    """Talk to the engine by TLS. The files are PEM, and read once, when a client or a
    worker is made.

    - `ca_file`: the certificates of those who may have signed the engine's; None for
      the roots that the system trusts.
    - `cert_file`, `key_file`: what shows the engine who calls, where it asks for that.
    - `server_name`: the name that the engine's certificate has to be for; None for
      the one of the address.
    """

    ca_file: str | Path | None = None
    cert_file: str | Path | None = None
    key_file: str | Path | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What connections of one caller are made with."""

    tls: TLS | None = None
    """None: plain text."""
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.token is not None:
            check_token(self.token, "the token")

    @property
    def metadata(self) -> tuple[tuple[str, str], ...] | None:
        """What every call carries."""
        return None if self.token is None else (("authorization", f"Bearer {self.token}"),)


PLAIN = Access()


def access_of(environment: Mapping[str, str] = os.environ) -> Access:
    """What SCHED_TLS… and SCHED_TOKEN… say. SCHED_TLS=0 is plain text whatever the
    others say; of the tokens in SCHED_TOKEN_FILE it is the first. Raises
    InvalidArgumentError."""
    said = {
        name: environment[variable]
        for name, variable in TLS_VARIABLES.items()
        if environment.get(variable)
    }
    switch = environment.get(SWITCH_VARIABLE, "").lower()
    tls = TLS(**said) if switch not in _NO and (switch or said) else None
    token = environment.get(TOKEN_VARIABLE) or None
    if token is None and (file := environment.get(TOKEN_FILE_VARIABLE)):
        token = read_tokens(file)[0]
    return Access(tls, token)


def access_to(address: str | None, tls: TLS | None, token: str | None) -> Access:
    """What was given; where nothing was, not even an address, what the environment says."""
    if address is None and tls is None and token is None:
        return access_of()
    return Access(tls, token)


def read_tokens(file: str | Path) -> Sequence[str]:
    """One a line; empty lines are none. Raises InvalidArgumentError, which says nothing
    of what stands in the file but the line's number."""
    try:
        # At ends of lines only: what else splits a text would be part of a token.
        text = Path(file).read_bytes().decode()
    except OSError as error:
        raise InvalidArgumentError(
            f"the token file {file} cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError:
        raise InvalidArgumentError(f"the token file {file} is no text") from None
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    for number, line in enumerate(lines, start=1):
        if line:
            check_token(line, f"the token in line {number} of {file}")
    tokens = [line for line in lines if line]
    if not tokens:
        raise InvalidArgumentError(
            f"the token file {file} is empty. Write one token a line, for example of "
            "`openssl rand -hex 32`"
        )
    return tokens


def check_token(token: str, what: str) -> None:
    """Raises InvalidArgumentError for what no header can carry."""
    if not token or not all("!" <= character <= "~" for character in token):
        raise InvalidArgumentError(
            f"{what} is empty, or has spaces, control characters or letters beyond ASCII; "
            "make one with `openssl rand -hex 32`"
        )

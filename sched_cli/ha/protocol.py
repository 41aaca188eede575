"""What the children of `sched dev --ha` are told, and what they report, as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Literal, Self

from sched_cli.access import Serving


@dataclass(frozen=True, slots=True)
class _Message:
    def encode(self) -> bytes:
        """As one line, with its end."""
        return self.text().encode() + b"\n"

    def text(self) -> str:
        """As a command line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str | bytes) -> Self:
        """The message that `encode` or `text` wrote."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class ServersReport(_Message):
    """Postgres and Redis run, or cannot."""

    state: Literal["ready", "failed"]
    postgres_dsn: str = ""
    redis_url: str = ""
    message: str = ""
    exit_code: int = 1


@dataclass(frozen=True, slots=True)
class EngineOptions(_Message):
    """What one engine is to be. Others see it among the arguments of a process: of
    secrets it has the files alone."""

    postgres_dsn: str
    redis_url: str
    host: str
    port: int
    otlp_endpoint: str = ""
    serving: Serving = field(default_factory=Serving)

    @classmethod
    def decode(cls, text: str | bytes) -> Self:
        """The message that `encode` or `text` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "serving": Serving(**fields["serving"])})


@dataclass(frozen=True, slots=True)
class EngineReport(_Message):
    """What an engine has become."""

    state: Literal["leader", "standby", "failed"]
    epoch: int = 0
    """Of a leader."""
    message: str = ""
